# SPDX-License-Identifier: Apache-2.0
# Every third-party library, found once. INSTALL.md lists the packages.
find_package(Threads REQUIRED)
if(NOT BARLOW_FUZZ) # the readers of files need neither ranks nor arithmetic
  set(MPI_CXX_SKIP_MPICXX ON) # mpi.h's own C++ bindings are gone from the standard and need a library of their own
  find_package(MPI REQUIRED COMPONENTS CXX)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  find_package(dnnl REQUIRED CONFIG)
endif()
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(turbojpeg REQUIRED IMPORTED_TARGET libturbojpeg)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(libdeflate REQUIRED IMPORTED_TARGET libdeflate)
find_package(fmt REQUIRED CONFIG)
find_package(spdlog REQUIRED CONFIG)
find_package(nlohmann_json REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
