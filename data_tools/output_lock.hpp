// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "barlow/base/file_descriptor.hpp"

namespace barlow::data_tools {

/// Makes a packing the only one that writes to an output. The lock is the operating system's, on the file NAME.lock
/// beside the output: it ends with its process, however that ends, and a file that was left is used again. Where the
/// file system has no locks, a warning takes their place. Used by one rank.
class OutputLock {
 public:
  /// @throws DataError if another packing has it, or if nothing can be written there.
  explicit OutputLock(const std::filesystem::path& output);
  /// Removes the file.
  ~OutputLock();
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
};

}  // namespace barlow::data_tools
