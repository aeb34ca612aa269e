# SPDX-License-Identifier: Apache-2.0
barlow_add_module(data SOURCES sampler.cpp resample.cpp planes.cpp color.cpp blur.cpp augmentation.cpp view_plans.cpp loader.cpp
                  DEPENDS barlow::data_storage barlow::pixels Threads::Threads)
set_source_files_properties(color.cpp resample.cpp PROPERTIES COMPILE_OPTIONS -ffp-contract=off)
