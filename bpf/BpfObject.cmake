# lunar_bpf_object(<interface library> <file>.bpf.c DEPENDS <headers>): compiles the file for the kernel and gives
# the library its libbpf skeleton as <file>.skel.h. The object is part of that header: nothing else is installed.
find_program(LUNAR_BPF_CLANG NAMES clang-19 clang REQUIRED)
find_program(LUNAR_BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)

function(lunar_bpf_object library source)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  string(REPLACE ".bpf.c" "" name ${source})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/include/${name}.skel.h)
  # Debian keeps the <asm/…> headers of the UAPI below the multiarch directory, which clang does not search for BPF.
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${LUNAR_BPF_CLANG} -O2 -g -target bpf -std=gnu11 -Wall -Wextra -Werror -Wno-unused-function -Wno-unused-parameter
            -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -I${PROJECT_SOURCE_DIR}
            -fdebug-prefix-map=${PROJECT_SOURCE_DIR}=.
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
    DEPENDS ${source} ${ARG_DEPENDS}
    COMMENT "BPF ${source}"
    VERBATIM)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/include
    COMMAND ${CMAKE_COMMAND} -DBPFTOOL=${LUNAR_BPFTOOL} -DOBJECT=${object} -DSKELETON=${skeleton} -DNAME=${name}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/skeleton.cmake
    DEPENDS ${object} ${CMAKE_CURRENT_SOURCE_DIR}/skeleton.cmake
    COMMENT "BPF skeleton ${name}"
    VERBATIM)
  add_custom_target(${name}_bpf DEPENDS ${skeleton})
  add_dependencies(${library} ${name}_bpf)
  target_include_directories(${library} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR}/include)
endfunction()
