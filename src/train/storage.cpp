// SPDX-License-Identifier: Apache-2.0
#include "storage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "barlow/base/error.hpp"

namespace barlow::train {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& file, int code) {
  throw StorageError("cannot write \"" + file.string() + "\": " + std::strerror(code));
}

/// Makes the file under a temporary name, by create(temporary), then renames it. False if create() says that it cannot.
template <class Create>
bool replace(const fs::path& file, Create&& create) {
  const fs::path temporary = file.string() + ".tmp";
  std::error_code ignored;
  try {
    fs::remove(temporary);
    if (!create(temporary)) return false;
    fs::rename(temporary, file);
    fs::remove(temporary, ignored);  // still there if both were names of one file
    return true;
  } catch (const fs::filesystem_error& error) {
    fs::remove(temporary, ignored);
    fail(file, error.code().value());
  }
}

}  // namespace

void reserve_space(const fs::path& file, std::uint64_t bytes) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail(file, errno);
  const int code = ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  ::close(descriptor);
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) fail(file, code);
}

void flush_file(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const int code = descriptor >= 0 && ::fsync(descriptor) == 0 ? 0 : errno;
  if (descriptor >= 0) ::close(descriptor);
  if (code != 0) fail(file, code);
}

void flush_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // some file systems open no folders; the rename is ordered there anyway
  ::fsync(descriptor);
  ::close(descriptor);
}

bool link_as(const fs::path& file, const fs::path& second_name) {
  return replace(second_name, [&](const fs::path& temporary) {
    std::error_code no_links;
    fs::create_hard_link(file, temporary, no_links);
    return !no_links;
  });
}

void keep_as(const fs::path& file, const fs::path& second_name) {
  if (link_as(file, second_name)) return;
  replace(second_name, [&](const fs::path& temporary) {
    fs::copy_file(file, temporary);
    flush_file(temporary);
    return true;
  });
}

}  // namespace barlow::train
