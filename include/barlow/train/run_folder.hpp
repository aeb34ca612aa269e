// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "barlow/base/file_descriptor.hpp"

namespace barlow::train {

/// Files of a run folder beside its checkpoints (CheckpointFolder): the run's settings, a line for each logged step,
/// the latest Snapshot, the weights of the finished run, and the report itself.
inline constexpr const char *kConfigFile = "config.toml", *kMetricsFile = "metrics.jsonl",
                            *kSnapshotFile = "snapshot.h5", *kWeightsFile = "backbone.safetensors",
                            *kReportFile = "report.html";

/// A run folder belongs to one job at a time. The lock is the operating system's, on the file `lock` in the folder: it
/// ends with its process, however that ends, and leaves nothing to clean up. The file says who holds it. Where the file
/// system has no locks, a warning takes their place. Used by one rank.
class RunLock {
 public:
  /// @throws ConfigError naming the holder, or the file that cannot be written.
  explicit RunLock(const std::filesystem::path& run);

  /// Host and process of the job that holds the folder now, if one does. @throws as fail_reading()
  static std::optional<std::string> holder(const std::filesystem::path& run);

 private:
  FileDescriptor file_;
};

/// For a run that begins, with no checkpoint to go on from: writes its config.toml. What an earlier run has left there
/// would be written over, or be taken for this one's: it is moved into a folder of its own, `earlier-1`, with a
/// warning.
/// @throws ConfigError if the folder cannot be written.
void begin_run_folder(const std::filesystem::path& run, const std::string& configuration_toml);

/// True if the last step has been logged and the weights have been written.
bool is_finished(const std::filesystem::path& run);

/// A request to stop is the file `stop` in the run folder, from any machine that sees it. It stays until the next start
/// clears it: job scripts see by it that somebody wants the run to stop, and do not start it again.
/// @throws ConfigError if the folder cannot be written.
void request_stop(const std::filesystem::path& run);
bool is_stop_requested(const std::filesystem::path& run);
/// @throws ConfigError if it cannot be removed: every start would stop before its first step.
void clear_stop_request(const std::filesystem::path& run);

}  // namespace barlow::train
