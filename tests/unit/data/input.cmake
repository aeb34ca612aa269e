# SPDX-License-Identifier: Apache-2.0
barlow_add_test(sampler SOURCES test_sampler.cpp LIBRARIES barlow::data LABEL unit)
barlow_add_test(resample SOURCES test_resample.cpp LIBRARIES barlow::data LABEL unit)
target_include_directories(test_resample PRIVATE ${PROJECT_SOURCE_DIR}/src/data)
barlow_add_test(loader SOURCES test_loader.cpp LIBRARIES barlow::data LABEL unit)
