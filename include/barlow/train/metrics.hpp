// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "barlow/base/file_descriptor.hpp"

namespace barlow::train {

/// One line of metrics.jsonl.
struct StepMetrics {
  std::int64_t step = 0;  ///< steps done
  double epoch = 0;
  double loss = 0, on_diagonal = 0, off_diagonal = 0, noise_floor = 0;
  double learning_rate_weights = 0, learning_rate_biases = 0;
  double gradient_norm = 0;
  double images_per_second = 0;  ///< over all ranks, since the last line; an image is two views
  double loader_wait_share = 0;  ///< of the time since the last line
  std::int64_t total_steps = 0;  ///< of the whole run
  double seconds_left = 0;       ///< at the pace of this start
};

/// Appends to metrics.jsonl; each line is in the file when record() returns, or, while the file cannot be written,
/// waits in memory for the next record() that can. Used by one rank.
class MetricsFile {
 public:
  /// Keeps the lines up to `steps_done` of an earlier start and drops what a lost part of the run wrote after them.
  /// @throws StorageError, also where the earlier lines are there and cannot be read; UserError if they are not ours to
  /// read.
  MetricsFile(const std::filesystem::path& path, std::int64_t steps_done);

  /// Warns when lines begin to wait.
  void record(const StepMetrics& metrics);
  /// Tries again to write lines that wait: a checkpoint must not be ahead of them.
  void retry() { write_waiting(); }
  /// @throws StorageError if lines still wait.
  void finish();

 private:
  /// Writes what waits; the system's error number, or 0.
  int write_waiting();

  std::filesystem::path path_;
  FileDescriptor file_;
  std::string waiting_;
  bool has_warned_ = false;
};

/// For people: `step 120/11,500 (1 %)  loss 812.3 (on 640.1, off 172.2; noise floor 167.0) ...`.
std::string to_line(const StepMetrics& metrics);

/// The last whole line of a metrics file, if there is one. @throws as fail_reading()
std::optional<StepMetrics> last_metrics(const std::filesystem::path& path);

/// `3 d 04 h`, `2 h 05 min`, `4 min 10 s`, `12 s`.
std::string to_duration(double seconds);

}  // namespace barlow::train
