// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>

namespace barlow {

/// An open file that closes itself.
class FileDescriptor {
 public:
  FileDescriptor() = default;

  /// Opens by ::open() with these flags and O_CLOEXEC; a file that O_CREAT makes has mode 0644. False if that fails,
  /// for the reason in errno.
  FileDescriptor(const std::filesystem::path& file, int flags);
  FileDescriptor(FileDescriptor&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~FileDescriptor();

  explicit operator bool() const { return id_ >= 0; }
  /// For calls of the system.
  int get() const { return id_; }

 private:
  int id_ = -1;
};

/// Reads `size` bytes that begin at `offset`, in as many calls as that takes.
/// @return  how many there were, fewer than `size` only at the file's end (errno is then 0); -1 on an error (errno)
std::int64_t read_at(const FileDescriptor& file, std::int64_t offset, void* bytes, std::size_t size);

}  // namespace barlow
