# cmake -DNPM=… -DFROM=… -DTO=… -P fetch.cmake: installs what package-lock.json names into TO, as its hashes say.
file(MAKE_DIRECTORY ${TO})
file(COPY ${FROM}/package.json ${FROM}/package-lock.json DESTINATION ${TO})
execute_process(
  COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --no-update-notifier
  WORKING_DIRECTORY ${TO} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  message("${output}")
  message(FATAL_ERROR
    "npm cannot install js-tiktoken, whose tables the token counter is built from. Is the registry reachable "
    "(npm ping; npm config get registry)? Without one, unpack the package of the version in "
    "flowengine/tokens/package.json anywhere and configure with -DLUNAR_JS_TIKTOKEN=/path/to/js-tiktoken.")
endif()
