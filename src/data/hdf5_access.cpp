// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/hdf5_access.hpp"

#include <hdf5.h>

namespace barlow::data {
namespace {

/// A file that could not be closed, as on a full disk, stays open within HDF5, whose handler at the program's exit runs
/// into what is left of it and crashes. We close what we open, so nothing needs that handler. It can be declined only
/// before any other call, hence before main().
[[maybe_unused]] const bool kLeavesExitAlone = H5dont_atexit() >= 0;

}  // namespace

std::int64_t make_hdf5_access() {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
  H5Pset_file_locking(access, false, true);
  return access;
}

}  // namespace barlow::data
