// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace barlow {

/// Throws for a file that is there and that the system does not let us read. It may be whole, so nobody may go on as if
/// it were damaged or missing.
/// @param code  errno
/// @throws UserError where permission is missing, which the user can give; else StorageError.
[[noreturn]] void fail_reading(const std::filesystem::path& file, int code);

/// As std::filesystem::exists(), but with fail_reading() where the system does not say.
bool file_exists(const std::filesystem::path& file);

/// Checks that `file` can be written, or made in its folder; to be called before the work whose result it receives.
/// @throws ConfigError naming the flag.
void require_writable(const std::string& flag, const std::filesystem::path& file);

/// Waits until the names in the folder are on the disk, where its file system lets folders be opened.
void flush_folder(const std::filesystem::path& folder);

}  // namespace barlow
