// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace barlow::data {

/// HDF5 believes what a file says of its own structure: one wrong length can crash the library. This reads all of that
/// structure first, touching no value: superblock, groups, names, headers. It passes files of groups, contiguous
/// little-endian datasets of plain numbers, and attributes of numbers and fixed strings, in the form that HDF5 gives
/// them by default (1.8 to 1.14, and what the writers here ask of later ones), all within the file, nothing twice; and
/// refuses anything else.
/// @throws DataError naming the file and what is wrong.
void require_plain_hdf5(const std::filesystem::path& file);

}  // namespace barlow::data
