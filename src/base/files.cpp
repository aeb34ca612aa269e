// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"

namespace barlow {

void fail_reading(const std::filesystem::path& file, int code) {
  const std::string what = "cannot read \"" + file.string() + "\": " + std::strerror(code);
  if (code == EACCES || code == EPERM) throw UserError(what + "; give yourself the right to read it");
  throw StorageError(what + "; it has been left as it is");
}

bool file_exists(const std::filesystem::path& file) {
  std::error_code error;
  const bool exists = std::filesystem::exists(file, error);
  if (error) fail_reading(file, error.value());
  return exists;
}

void require_writable(const std::string& flag, const std::filesystem::path& file) {
  std::error_code none;
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  int code = ::access(file.c_str(), W_OK) == 0 ? 0 : errno;
  if (code == ENOENT) code = ::access(folder.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
  if (std::filesystem::is_directory(file, none)) code = EISDIR;
  if (code == 0) return;
  throw ConfigError(flag + " \"" + file.string() + "\": cannot be written: " + std::strerror(code) +
                    "; give a file in a folder that is there and yours to write");
}

void flush_folder(const std::filesystem::path& folder) {
  const FileDescriptor opened(folder, O_RDONLY | O_DIRECTORY);
  if (opened) ::fsync(opened.get());  // some file systems open no folders; a rename is ordered there anyway
}

}  // namespace barlow
