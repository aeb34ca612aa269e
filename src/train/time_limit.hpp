// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <limits>

namespace barlow::train {

/// The end of the job as SLURM tells it (SLURM_JOB_END_TIME, seconds since 1970); without one there is none.
class TimeLimit {
 public:
  TimeLimit() {
    const char* text = std::getenv("SLURM_JOB_END_TIME");
    if (text != nullptr) end_ = std::strtoll(text, nullptr, 10);
  }

  bool exists() const { return end_ > 0; }
  double seconds_left() const {
    return exists() ? static_cast<double>(end_ - std::time(nullptr)) : std::numeric_limits<double>::infinity();
  }
  /// Whether the next step may not end, with a checkpoint after it, in the time that is left. Twice the longest so far
  /// and ten seconds for what comes after the last step.
  bool is_near(double longest_step_s, double longest_checkpoint_s) const {
    return seconds_left() < 2 * (longest_step_s + longest_checkpoint_s) + kEnd_s;
  }

 private:
  static constexpr double kEnd_s = 10;
  long long end_ = 0;
};

}  // namespace barlow::train
