# Adds the processor of flowengine/README.md in the way that the README describes: its code as a file, a line in the list.
#   cmake -DREADME=… -DLIST=…/builtin.cpp -DTO=folder -P add_processor.cmake
file(READ ${README} text)
if(NOT text MATCHES "\n## Add a processor[^\n]*\n.*\n```cpp\n(class Stamp .*stamp_type[^`]*)```\n")
  message(FATAL_ERROR "${README} has no processor Stamp below “Add a processor”")
endif()
set(code "${CMAKE_MATCH_1}")
set(declaration "namespace lunar {\nextern const ProcessorType stamp_type;\n}\n")
file(WRITE ${TO}/stamp.cpp
  "#include \"flowengine/processors/types.h\"\n\n${declaration}\nnamespace lunar {\n\n${code}\n}  // namespace lunar\n")

file(READ ${LIST} text)
string(REPLACE "&mock_type," "&mock_type, &stamp_type," list "${text}")
if(list STREQUAL text)
  message(FATAL_ERROR "${LIST} has no line to put another processor beside")
endif()
string(REPLACE "\nnamespace lunar {\nnamespace {\n" "\n${declaration}\nnamespace lunar {\nnamespace {\n" list "${list}")
file(WRITE ${TO}/builtin_and_stamp.cpp "${list}")
