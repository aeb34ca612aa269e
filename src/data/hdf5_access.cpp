// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/hdf5_access.hpp"

#include <hdf5.h>

namespace barlow::data {

std::int64_t make_hdf5_access() {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
  H5Pset_file_locking(access, false, true);
  return access;
}

}  // namespace barlow::data
