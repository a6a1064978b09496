# flotilla_library, flotilla_executable and flotilla_test: the only ways targets are made here.

add_library(flotilla_options INTERFACE)
add_library(flotilla::options ALIAS flotilla_options)
target_compile_options(flotilla_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor
  -Wno-missing-field-initializers  # option structs with designated initializers leave defaults out
  # g++ 12 reports string concatenation as overlapping copies (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Compiled together, a source is an included file, where types of its own look like a mistake.
  $<$<AND:$<BOOL:${FLO_UNITY}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>
  $<$<BOOL:${FLO_WERROR}>:-Werror>)
target_include_directories(flotilla_options INTERFACE
  "${CMAKE_SOURCE_DIR}/libs" "${CMAKE_SOURCE_DIR}/services" "${CMAKE_SOURCE_DIR}"
  "${CMAKE_BINARY_DIR}/generated")
target_compile_definitions(flotilla_options INTERFACE _GNU_SOURCE)

if(FLO_SANITIZE)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/findings")  # what its programs report (cmake/sanitizer_reports.cc)
endif()
if(FLO_SANITIZE STREQUAL "address")
  # Calls in place of code for each access: every run of the tests compiles this build.
  target_compile_options(flotilla_options INTERFACE -fsanitize=address --param asan-instrumentation-with-call-threshold=0
    -fno-omit-frame-pointer)
  target_link_options(flotilla_options INTERFACE -fsanitize=address)
elseif(FLO_SANITIZE STREQUAL "undefined")
  target_compile_options(flotilla_options INTERFACE -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(flotilla_options INTERFACE -fsanitize=undefined)
elseif(FLO_SANITIZE STREQUAL "thread")
  target_compile_options(flotilla_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(flotilla_options INTERFACE -fsanitize=thread)
endif()

# With FLO_UNITY the sources of a library are compiled together, ten and more at a time, which spares reading
# the same headers again: a third of the time of a build from nothing. Names of their own (anonymous
# namespaces, static) must then differ between the sources of one folder.
set(FLO_TOGETHER 10)
if(FLO_SANITIZE)
  set(FLO_TOGETHER 25)  # nearly all of what these take to compile is headers
endif()
function(flotilla_compile_together target)
  if(FLO_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${FLO_TOGETHER})
  endif()
endfunction()

# flotilla_library(NAME common_error HDRS ... SRCS ... DEPS ...) makes flotilla_common_error and
# flotilla::common_error. Headers are verified to compile alone (all_verify_interface_header_sets).
function(flotilla_library)
  cmake_parse_arguments(ARG "" "NAME" "HDRS;SRCS;DEPS" ${ARGN})
  set(target "flotilla_${ARG_NAME}")
  set(scope PUBLIC)
  if(ARG_SRCS)
    add_library(${target} STATIC ${ARG_SRCS})
    flotilla_compile_together(${target})
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
  if(FLO_SANITIZE)
    target_sources(${ARG_NAME} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/sanitizer_reports.cc")
    target_compile_definitions(${ARG_NAME} PRIVATE FLO_SANITIZER_REPORTS="${CMAKE_BINARY_DIR}/findings")
  endif()
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
endfunction()

# Builds what `ctest -L unit` runs and nothing else. With FLO_UNITY `all` leaves it out.
add_custom_target(unit_tests)

function(flotilla_test_program name)
  add_executable(${name})
  target_link_libraries(${name} PRIVATE flotilla::options GTest::gmock GTest::gtest_main)
  # The tests' own code runs once: what it costs is compiling it.
  target_compile_options(${name} PRIVATE -O0)
  if(IS_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/testdata")
    target_compile_definitions(${name} PRIVATE FLO_TESTDATA="${CMAKE_CURRENT_SOURCE_DIR}/testdata")
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
endfunction()

# Sets `variable` to the gtest filter that selects what is in these sources.
function(flotilla_gtest_filter variable)
  set(patterns)
  foreach(source ${ARGN})
    # A test added later must not be left out in silence: configure again when the source changes.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(STRINGS ${source} heads REGEX "^TEST(_F|_P)?\\(")
    if(NOT heads)
      list(APPEND patterns "*") # its suite comes from a header (contract suites)
    endif()
    foreach(head ${heads})
      if(head MATCHES "^TEST(_F)?\\(([A-Za-z0-9_]+)")
        list(APPEND patterns "${CMAKE_MATCH_2}.*")
      elseif(head MATCHES "^TEST_P\\(([A-Za-z0-9_]+)")
        list(APPEND patterns "*${CMAKE_MATCH_1}.*")
      endif()
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES patterns)
  list(JOIN patterns ":" filter)
  set(${variable} "${filter}" PARENT_SCOPE)
endfunction()

# flotilla_test(NAME error_test LABEL unit SRCS ... DEPS ... [TIMEOUT seconds])
# LABEL: unit (no root, no network, no sleep), integration, e2e, robustness, vm.
# FLO_TESTDATA is the folder testdata beside the test, where there is one.
# With FLO_UNITY the unit tests of one folder are one program, which each test calls with its own
# filter: there is no target of a unit test's name to set properties on.
function(flotilla_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL;TIMEOUT" "SRCS;DEPS" ${ARGN})
  set(program ${ARG_NAME})
  set(arguments)
  if(FLO_UNITY AND ARG_LABEL STREQUAL "unit")
    file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
    string(REPLACE "/" "_" program "${folder}_unit_tests")
    flotilla_gtest_filter(filter ${ARG_SRCS})
    set(arguments "--gtest_filter=${filter}")
  endif()
  if(NOT TARGET ${program})
    flotilla_test_program(${program})
    flotilla_compile_together(${program})
  endif()
  target_sources(${program} PRIVATE ${ARG_SRCS})
  target_link_libraries(${program} PRIVATE ${ARG_DEPS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(FLO_SANITIZE)
    math(EXPR ARG_TIMEOUT "5 * ${ARG_TIMEOUT}")
  endif()
  if(ARG_LABEL STREQUAL "unit")
    add_dependencies(unit_tests ${program})
    set_target_properties(${program} PROPERTIES EXCLUDE_FROM_ALL ${FLO_UNITY})  # built where they are asked for
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${program} ${arguments})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
