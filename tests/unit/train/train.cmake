# SPDX-License-Identifier: Apache-2.0
barlow_add_test(train SOURCES test_config.cpp test_hdf5_file.cpp test_metrics.cpp test_checkpoint_writer.cpp test_damage.cpp test_profiler.cpp test_run_folder.cpp
                              test_nonfinite.cpp test_memory_plan.cpp test_time_limit.cpp LIBRARIES barlow::train hdf5::hdf5 nlohmann_json::nlohmann_json LABEL unit)
target_include_directories(test_train PRIVATE ${PROJECT_SOURCE_DIR}/src/train)
