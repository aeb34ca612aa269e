// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

/// What HDF5 and the standard library leave to the operating system: space, and what lasts after a power cut.
namespace barlow::train {

/// Asks for the disk space of a file before it is written, so that a full disk shows at once and whole, not in the
/// middle of a library. Where a file system cannot tell, nothing happens. @throws StorageError: no space, quota.
void reserve_space(const std::filesystem::path& file, std::uint64_t bytes);

/// Waits until the file's content is on the disk. @throws StorageError.
void flush_file(const std::filesystem::path& file);

/// Has make(temporary) write a file under a temporary name beside `file`, then renames it over `file`. If either fails,
/// no temporary file is left. @throws what make() throws; StorageError if the file system refuses.
void replace_file(const std::filesystem::path& file,
                  const std::function<void(const std::filesystem::path& temporary)>& make);

/// Gives a file a second name, a hard link, replacing in one rename what has that name. False where the file system has
/// no hard links; nothing is changed then. @throws StorageError.
bool link_as(const std::filesystem::path& file, const std::filesystem::path& second_name);

/// As link_as(), with a copy where there are no hard links. @throws StorageError.
void keep_as(const std::filesystem::path& file, const std::filesystem::path& second_name);

}  // namespace barlow::train
