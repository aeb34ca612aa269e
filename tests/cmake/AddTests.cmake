# SPDX-License-Identifier: Apache-2.0
set(BARLOW_TEST_ENVIRONMENT
    "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1"
    "OMPI_MCA_hwloc_base_binding_policy=none;OMPI_MCA_mpi_yield_when_idle=1")
# mpirun gives a job that ends with another code than 0 two seconds, though all of its ranks are gone.
set(BARLOW_TEST_ENDS_AT_ONCE "OMPI_MCA_odls_base_sigkill_timeout=0")
# `unit_tests` builds the programs of label unit: what the sanitizers run.
add_custom_target(unit_tests)
set(BARLOW_TEST_FOLDER ${PROJECT_SOURCE_DIR}/tests)

# barlow_add_test(NAME SOURCES a.cpp ... LIBRARIES barlow::nn ... LABEL unit|ops|system [TIMEOUT 120])
# One Catch2 program without MPI, one ctest.
function(barlow_add_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE barlow::options ${ARG_LIBRARIES} Catch2::Catch2WithMain)
  target_include_directories(test_${name} PRIVATE ${BARLOW_TEST_FOLDER})
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(ARG_LABEL STREQUAL unit)
    add_dependencies(unit_tests test_${name})
  endif()
  add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${BARLOW_TEST_FOLDER})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABEL}" SKIP_RETURN_CODE 77
                       ENVIRONMENT "${BARLOW_TEST_ENVIRONMENT};OMP_NUM_THREADS=2")
endfunction()

# barlow_add_device_test(NAME SOURCES ... LIBRARIES ... LABEL ops [TIMEOUT 120])
# One Catch2 program that runs on the processor and, with the CUDA flavour, once more on a GPU (NAME.gpu, label gpu), where
# it is skipped if there is none.
function(barlow_add_device_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES} ${BARLOW_TEST_FOLDER}/support/device_main.cpp)
  target_link_libraries(test_${name} PRIVATE barlow::options ${ARG_LIBRARIES} Catch2::Catch2)
  target_include_directories(test_${name} PRIVATE ${BARLOW_TEST_FOLDER})
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${BARLOW_TEST_FOLDER})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABEL}"
                       ENVIRONMENT "${BARLOW_TEST_ENVIRONMENT};OMP_NUM_THREADS=2")
  if(BARLOW_CUDA)
    add_test(NAME ${name}.gpu COMMAND test_${name} WORKING_DIRECTORY ${BARLOW_TEST_FOLDER})
    set_tests_properties(${name}.gpu PROPERTIES TIMEOUT 300 LABELS gpu SKIP_RETURN_CODE 77 RESOURCE_LOCK gpu
                         ENVIRONMENT "${BARLOW_TEST_ENVIRONMENT};BARLOW_TEST_DEVICE=cuda")
  endif()
endfunction()

# barlow_add_mpi_test(NAME SOURCES ... LIBRARIES ... RANKS 1 2 4 [TIMEOUT 120])
# One Catch2 program whose main starts MPI (support/mpi_main.cpp), one ctest per number of ranks, label mpi.
function(barlow_add_mpi_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBRARIES;RANKS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(test_${name} ${ARG_SOURCES} ${BARLOW_TEST_FOLDER}/support/mpi_main.cpp)
  target_link_libraries(test_${name} PRIVATE barlow::options ${ARG_LIBRARIES} Catch2::Catch2 MPI::MPI_CXX)
  target_include_directories(test_${name} PRIVATE ${BARLOW_TEST_FOLDER})
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  foreach(ranks IN LISTS ARG_RANKS)
    add_test(NAME ${name}.np${ranks}
             COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:test_${name}>
             WORKING_DIRECTORY ${BARLOW_TEST_FOLDER})
    set_tests_properties(${name}.np${ranks} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "mpi;np${ranks}" PROCESSORS 2
                         SKIP_RETURN_CODE 77 ENVIRONMENT "${BARLOW_TEST_ENVIRONMENT};OMP_NUM_THREADS=1")
  endforeach()
endfunction()
