// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/file_descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace barlow {

FileDescriptor::FileDescriptor(const std::filesystem::path& file, int flags)
    : id_(::open(file.c_str(), flags | O_CLOEXEC, 0644)) {}

FileDescriptor::~FileDescriptor() {
  if (id_ >= 0) ::close(id_);
}

std::int64_t read_at(const FileDescriptor& file, std::int64_t offset, void* bytes, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    errno = 0;
    const ssize_t count = ::pread(file.get(), static_cast<std::byte*>(bytes) + done, size - done,
                                  static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<std::int64_t>(done);
}

}  // namespace barlow
