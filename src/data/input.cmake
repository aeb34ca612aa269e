# SPDX-License-Identifier: Apache-2.0
barlow_add_module(data SOURCES sampler.cpp resample.cpp planes.cpp color.cpp blur.cpp augmentation.cpp view_plans.cpp loader.cpp
                  DEPENDS barlow::data_storage barlow::pixels Threads::Threads)
# Without contraction of a*b + c, as pixels wants it; and nobody looks at floating-point exceptions, which would keep loops
# with a conditional subtraction scalar.
set_source_files_properties(color.cpp resample.cpp PROPERTIES COMPILE_OPTIONS "-ffp-contract=off;-fno-trapping-math")
