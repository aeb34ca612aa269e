# SPDX-License-Identifier: Apache-2.0
# CUDNN::frontend, NVIDIA's header-only C++ front end of cuDNN. Hint: CUDNNFrontend_ROOT, a folder with include/cudnn_frontend.h
# (jobs/lib/cudnn_frontend.sh fetches one from Python's package index).
find_path(CUDNNFrontend_INCLUDE_DIR cudnn_frontend.h
          HINTS ${PROJECT_SOURCE_DIR}/build/cudnn-frontend ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
if(CUDNNFrontend_INCLUDE_DIR AND EXISTS ${CUDNNFrontend_INCLUDE_DIR}/cudnn_frontend_version.h)
  file(STRINGS ${CUDNNFrontend_INCLUDE_DIR}/cudnn_frontend_version.h frontend_lines REGEX "#define CUDNN_FRONTEND_(MAJOR|MINOR|PATCH)_VERSION ")
  string(REGEX REPLACE ".*MAJOR_VERSION ([0-9]+).*MINOR_VERSION ([0-9]+).*PATCH_VERSION ([0-9]+).*" "\\1.\\2.\\3" CUDNNFrontend_VERSION "${frontend_lines}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNNFrontend REQUIRED_VARS CUDNNFrontend_INCLUDE_DIR VERSION_VAR CUDNNFrontend_VERSION)
if(CUDNNFrontend_FOUND AND NOT TARGET CUDNN::frontend)
  add_library(CUDNN::frontend INTERFACE IMPORTED)
  # SYSTEM, which imported targets' folders are: its warnings are not ours
  set_target_properties(CUDNN::frontend PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${CUDNNFrontend_INCLUDE_DIR})
  target_link_libraries(CUDNN::frontend INTERFACE CUDNN::cudnn CUDA::nvrtc)
endif()
