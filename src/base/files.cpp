// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/files.hpp"

#include <cerrno>
#include <cstring>

#include "barlow/base/error.hpp"

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

}  // namespace barlow
