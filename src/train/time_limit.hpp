// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace barlow::train {

/// The end of the job as SLURM tells it (SLURM_JOB_START_TIME and SLURM_JOB_END_TIME, seconds since 1970); without one
/// there is none. An end that has passed is not this job's: the variables are those of a shell that has outlived its
/// job, or of the time before its limit was raised.
class TimeLimit {
 public:
  TimeLimit();

  bool exists() const { return end_ > 0; }
  double seconds_left() const;
  /// Whether the next step may not end, with a checkpoint after it, in the time that is left.
  bool is_near(double longest_step_s, double longest_checkpoint_s) const;
  /// For people: when a run that needs so much time more will end, and how many jobs of this length that takes after
  /// this one; the rest of this one counts if the run goes on in it. Empty without a limit.
  std::string forecast(double run_seconds_left, bool goes_on) const;

 private:
  long long begin_ = 0, end_ = 0;
};

}  // namespace barlow::train
