// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace barlow::train {

/// A run folder belongs to one job at a time. The lock is the operating system's, on the file `lock` in the folder: it
/// ends with its process, however that ends, and leaves nothing to clean up. The file says who holds it. Where the file
/// system has no locks, a warning takes their place. Used by one rank.
class RunLock {
 public:
  /// @throws ConfigError naming the holder, or the file that cannot be written.
  explicit RunLock(const std::filesystem::path& run);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Host and process of the job that holds the folder now, if one does.
  static std::optional<std::string> holder(const std::filesystem::path& run);

 private:
  int file_ = -1;
};

/// A request to stop is the file `stop` in the run folder, from any machine that sees it; the run removes it.
/// @throws StorageError.
void request_stop(const std::filesystem::path& run);
bool is_stop_requested(const std::filesystem::path& run);
void clear_stop_request(const std::filesystem::path& run);

}  // namespace barlow::train
