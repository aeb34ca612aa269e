# SPDX-License-Identifier: Apache-2.0
# barlow::options carries the language level, the warnings and the sanitizers of every target.
add_library(barlow_options INTERFACE)
add_library(barlow::options ALIAS barlow_options)
target_compile_features(barlow_options INTERFACE cxx_std_20)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "g++ ${CMAKE_CXX_COMPILER_VERSION} is too old: barlow needs 12 or newer (CXX=g++-12 cmake --preset ...).")
endif()
target_include_directories(barlow_options INTERFACE ${PROJECT_SOURCE_DIR}/include)
# nvcc's own intermediate code is not pedantic.
target_compile_options(barlow_options INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wpedantic -Wshadow>
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra --expt-relaxed-constexpr -Wno-deprecated-gpu-targets>
  $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<BOOL:${BARLOW_WERROR}>>:-Werror>
  $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${BARLOW_WERROR}>>:-Werror=all-warnings>)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(barlow_options INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Wno-restrict>) # misreads std::string's concatenation (GCC bug 105651)
endif()
if(BARLOW_SANITIZE)
  target_compile_options(barlow_options INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${BARLOW_SANITIZE} -fno-omit-frame-pointer>)
  target_link_options(barlow_options INTERFACE -fsanitize=${BARLOW_SANITIZE})
endif()

# barlow_add_module(nn SOURCES a.cpp ... DEPENDS barlow::comm ... PRIVATE DNNL::dnnl ...)
# One static library per folder of src/. DEPENDS are modules to its left in the include order; PRIVATE are libraries
# that its headers do not show.
function(barlow_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(barlow_${name} STATIC ${ARG_SOURCES})
  add_library(barlow::${name} ALIAS barlow_${name})
  target_link_libraries(barlow_${name} PUBLIC barlow::options ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
endfunction()
