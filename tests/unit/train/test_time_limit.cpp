// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <ctime>
#include <string>

#include "pace.hpp"
#include "support/catch.hpp"
#include "time_limit.hpp"

using namespace barlow;

namespace {

/// A job of that length, so much of which is left.
train::TimeLimit job(long long length_s, long long left_s) {
  const long long end = std::time(nullptr) + left_s;
  ::setenv("SLURM_JOB_START_TIME", std::to_string(end - length_s).c_str(), 1);
  ::setenv("SLURM_JOB_END_TIME", std::to_string(end).c_str(), 1);
  const train::TimeLimit limit;
  ::unsetenv("SLURM_JOB_START_TIME");
  ::unsetenv("SLURM_JOB_END_TIME");
  return limit;
}

}  // namespace

TEST_CASE("without SLURM there is no limit") {
  const train::TimeLimit limit;
  CHECK_FALSE(limit.exists());
  CHECK_FALSE(limit.is_near(1e9, 1e9));
  CHECK(limit.forecast(100, true).empty());
}

TEST_CASE("an end that has passed is another job's") {
  CHECK_FALSE(job(3600, -60).exists());
  CHECK_FALSE(job(3600, -60).is_near(100, 60));
}

TEST_CASE("a limit is near when two more steps and checkpoints do not fit") {
  CHECK(job(3600, 300).is_near(100, 60));
  CHECK_FALSE(job(3600, 300).is_near(100, 30));
}

TEST_CASE("a forecast counts the jobs that a run still needs") {
  CHECK_THAT(job(36000, 7200).forecast(3600, true), contains("needs 1 h 00 min more: this job is long enough"));
  CHECK_THAT(job(36000, 7200).forecast(7200 + 36000 - 60, true), contains("one more job of this length"));
  CHECK_THAT(job(36000, 7200).forecast(7200 + 36000 + 60, true), contains("2 more jobs of this length"));
  CHECK_THAT(job(36000, 7200).forecast(3600, false), contains("one more job of this length"));
  CHECK_THAT(job(36000, 7200).forecast(100 * 36000.0 - 60, false), contains("100 more jobs of this length"));
}

TEST_CASE("a pace counts from its beginning and from the last line") {
  train::Pace pace(100);
  pace.begin(10);
  train::StepMetrics metrics;
  metrics.step = 20;
  const double before = pace.elapsed_s();
  pace.end_line(metrics, 8, 0);
  CHECK(metrics.total_steps == 100);
  CHECK(metrics.seconds_left >= before / 10 * 80);
  CHECK(metrics.seconds_left <= pace.elapsed_s() / 10 * 80);
  CHECK(metrics.images_per_second >= 10 * 8 / pace.elapsed_s());
  CHECK(metrics.loader_wait_share == 0);
}
