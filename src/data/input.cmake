# SPDX-License-Identifier: Apache-2.0
barlow_add_module(data SOURCES sampler.cpp resample.cpp planes.cpp color.cpp blur.cpp augmentation.cpp loader.cpp
                  DEPENDS barlow::data_storage Threads::Threads)
set_source_files_properties(color.cpp PROPERTIES COMPILE_OPTIONS -ffp-contract=off)
