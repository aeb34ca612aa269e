// SPDX-License-Identifier: Apache-2.0
#include "storage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"

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
  } catch (...) {
    fs::remove(temporary, ignored);
    throw;
  }
}

}  // namespace

void reserve_space(const fs::path& file, std::uint64_t bytes) {
  const FileDescriptor opened(file, O_WRONLY);
  if (!opened) fail(file, errno);
  if (::fallocate(opened.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) fail(file, errno);
}

void flush_file(const fs::path& file) {
  const FileDescriptor opened(file, O_RDONLY);
  if (!opened || ::fsync(opened.get()) != 0) fail(file, errno);
}

void replace_file(const fs::path& file, const std::function<void(const fs::path& temporary)>& make) {
  replace(file, [&](const fs::path& temporary) {
    make(temporary);
    return true;
  });
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
