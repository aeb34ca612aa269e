// SPDX-License-Identifier: Apache-2.0
#include "time_limit.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <limits>

#include "barlow/train/metrics.hpp"

namespace barlow::train {
namespace {

constexpr double kEnd_s = 10;  // for what comes after the last step

long long seconds_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoll(text, nullptr, 10) : 0;
}

}  // namespace

TimeLimit::TimeLimit() : begin_(seconds_in("SLURM_JOB_START_TIME")), end_(seconds_in("SLURM_JOB_END_TIME")) {
  const std::time_t now = std::time(nullptr);
  if (end_ <= now) end_ = 0;
  if (begin_ <= 0 || begin_ >= end_) begin_ = now;  // SLURM 22.05 does not tell
}

double TimeLimit::seconds_left() const {
  return exists() ? static_cast<double>(end_ - std::time(nullptr)) : std::numeric_limits<double>::infinity();
}

// Twice the longest so far.
bool TimeLimit::is_near(double longest_step_s, double longest_checkpoint_s) const {
  return seconds_left() < 2 * (longest_step_s + longest_checkpoint_s) + kEnd_s;
}

std::string TimeLimit::forecast(double run_seconds_left, bool goes_on) const {
  if (!exists()) return "";
  const std::time_t end = std::time(nullptr) + std::llround(run_seconds_left);
  const double in_this_job = goes_on ? std::max(seconds_left(), 0.0) : 0;
  const double job_length = static_cast<double>(std::max(end_ - begin_, 1LL));
  const auto jobs = std::max(0LL, std::llround(std::ceil((run_seconds_left - in_this_job) / job_length)));
  return fmt::format("at this pace the run needs {} more: {}, {} {:%Y-%m-%d %H:%M}", to_duration(run_seconds_left),
                     jobs == 0   ? "this job is long enough"
                     : jobs == 1 ? "one more job of this length"
                                 : fmt::format("{} more jobs of this length", jobs),
                     jobs == 0 ? "until" : "without waiting until", fmt::localtime(end));
}

}  // namespace barlow::train
