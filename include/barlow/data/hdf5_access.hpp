// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace barlow::data {

/// How every HDF5 file is opened and made here: an access property list (hid_t), which the caller closes. New files get
/// the form that hdf5_structure.hpp passes. Nothing is locked: HDF5 would take a file that it cannot lock (on NFS
/// without a lock service, or while another program has it open for writing) for one that it cannot open.
std::int64_t make_hdf5_access();

}  // namespace barlow::data
