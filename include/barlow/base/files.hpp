// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace barlow {

/// For a file that is there and that the system does not let us read: it may be whole, so nothing may be done as if it
/// were damaged or missing.
/// @param code  errno
/// @throws UserError where permission is missing, which the user can give; else StorageError.
[[noreturn]] void fail_reading(const std::filesystem::path& file, int code);

/// As std::filesystem::exists(); where the system does not say, fail_reading().
bool file_exists(const std::filesystem::path& file);

}  // namespace barlow
