// SPDX-License-Identifier: Apache-2.0
#include "profile.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "barlow/base/clock.hpp"
#include "barlow/base/log.hpp"
#include "profile_report.hpp"
#include "profiled_collectives.hpp"

namespace barlow::train {
namespace {

// The first steps make plans, touch memory for the first time and find a loader that has just begun.
constexpr std::int64_t kWarmupSteps = 2;

/// What went wrong; empty if nothing did.
std::string write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text << "\n";
  return file.flush() ? "" : fmt::format("cannot write \"{}\": {}", path.string(), std::strerror(errno));
}

}  // namespace

Profile::Profile(const PretrainConfig& config, const Runtime& runtime) : config_(config), runtime_(runtime) {
  if (config.profile_steps == 0) return;
  profiler_ = std::make_unique<Profiler>([&runtime] { runtime.backend.synchronize(); },
                                         [watch = Stopwatch()] { return watch.elapsed_s(); });
  collectives_ = std::make_unique<ProfiledCollectives>(runtime.collectives, *profiler_);
}

Profile::~Profile() = default;

Collectives& Profile::collectives() { return collectives_ ? *collectives_ : runtime_.collectives; }

void Profile::begin_step(std::int64_t steps_done) {
  if (!profiler_ || told_) return;
  if (steps_begun_ == kWarmupSteps + config_.profile_steps) return finish();
  if (steps_begun_++ >= kWarmupSteps) profiler_->begin_step(steps_done);
}

void Profile::drop_step() {
  if (profiler_) profiler_->drop_step();
}

void Profile::finish() {
  if (!profiler_ || told_) return;
  told_ = true;
  profiler_->end_step();
  tell();
}

void Profile::tell() {
  const MpiSession& session = runtime_.session;
  const StepTimes& times = profiler_->times();
  if (times.step_seconds.empty()) {  // on every rank alike
    if (session.is_root())
      log::warning(fmt::format("--profile-steps: the run ended within {} steps of warm-up", kWarmupSteps));
    return;
  }
  const std::filesystem::path run(config_.output);
  const auto trace_file = [&](int rank) { return run / fmt::format("profile-rank{:04}.json", rank); };
  std::string problem = write(trace_file(session.rank()), trace_of(times, session.rank(), session.host()));
  const auto summaries = session.gather(summary_of_rank(times, session.rank(), session.host()));
  if (session.is_root()) {
    const ProfileSummary summary = summarize(summaries, config_.batch_size, runtime_.backend.description());
    if (problem.empty()) problem = write(run / "profile.json", summary.json);
    std::error_code error;  // an earlier start may have had more ranks
    for (int rank = session.world_size(); std::filesystem::remove(trace_file(rank), error);) ++rank;
    for (const std::string& line : summary.table) log::info(line);
  }
  for (const std::string& text : session.gather(problem)) {
    if (session.is_root() && !text.empty()) log::warning("profile: " + text);
  }
}

}  // namespace barlow::train
