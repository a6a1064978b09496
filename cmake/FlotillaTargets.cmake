# flotilla_library, flotilla_executable and flotilla_test: the only ways targets are made here.

add_library(flotilla_options INTERFACE)
add_library(flotilla::options ALIAS flotilla_options)
target_compile_options(flotilla_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor
  -Wno-missing-field-initializers  # option structs with designated initializers leave defaults out
  # g++ 12 reports string concatenation as overlapping copies (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${FLO_WERROR}>:-Werror>)
target_include_directories(flotilla_options INTERFACE
  "${CMAKE_SOURCE_DIR}/libs" "${CMAKE_SOURCE_DIR}/services" "${CMAKE_SOURCE_DIR}"
  "${CMAKE_BINARY_DIR}/generated")
target_compile_definitions(flotilla_options INTERFACE _GNU_SOURCE)

if(FLO_SANITIZE STREQUAL "address")
  target_compile_options(flotilla_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(flotilla_options INTERFACE -fsanitize=address,undefined)
elseif(FLO_SANITIZE STREQUAL "thread")
  target_compile_options(flotilla_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(flotilla_options INTERFACE -fsanitize=thread)
endif()

# flotilla_library(NAME common_error HDRS ... SRCS ... DEPS ...) makes flotilla_common_error and
# flotilla::common_error. Headers are verified to compile alone (all_verify_interface_header_sets).
function(flotilla_library)
  cmake_parse_arguments(ARG "" "NAME" "HDRS;SRCS;DEPS" ${ARGN})
  set(target "flotilla_${ARG_NAME}")
  set(scope PUBLIC)
  if(ARG_SRCS)
    add_library(${target} STATIC ${ARG_SRCS})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(flotilla::${ARG_NAME} ALIAS ${target})
  if(ARG_HDRS)
    target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS "${CMAKE_CURRENT_SOURCE_DIR}" FILES ${ARG_HDRS})
  endif()
  target_link_libraries(${target} ${scope} flotilla::options ${ARG_DEPS})
endfunction()

function(flotilla_executable)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE flotilla::options ${ARG_DEPS})
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
endfunction()

# flotilla_test(NAME error_test LABEL unit SRCS ... DEPS ... [TIMEOUT seconds])
# LABEL: unit (no root, no network, no sleep), integration, e2e, robustness, vm.
# Builds what `ctest -L unit` runs and nothing else.
add_custom_target(unit_tests)

function(flotilla_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL;TIMEOUT" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE flotilla::options GTest::gmock GTest::gtest_main ${ARG_DEPS})
  # The tests' own code runs once: what it costs is compiling it.
  target_compile_options(${ARG_NAME} PRIVATE -O0)
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(ARG_LABEL STREQUAL "unit")
    add_dependencies(unit_tests ${ARG_NAME})
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
