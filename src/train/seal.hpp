// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

/// A checksum over a whole file, in the 512 bytes before HDF5's first (its user block). A file that does not match
/// never reaches HDF5, which trusts what it reads. The seal is a line of text: `head -1 checkpoint.h5` shows it.
namespace barlow::train {

/// What is left free at the start of a file that will be sealed.
inline constexpr std::uint64_t kSealBytes = 512;

/// Seals a file whose first kSealBytes are free, and flushes it. @throws StorageError.
void seal(const std::filesystem::path& file);

/// @throws DataError if the file is missing, cut, or changed in any bit since it was sealed; ConfigError if it never
/// was, as older versions left theirs. A file that cannot be read may be whole: StorageError, or UserError where the
/// permission is missing.
void require_seal(const std::filesystem::path& file);

}  // namespace barlow::train
