// SPDX-License-Identifier: Apache-2.0
#include "profile_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace barlow::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kPhaseThread = 0, kGradientThread = 1;

double rounded(double value, double unit) { return std::round(value / unit) * unit; }

/// A bar of the trace; times in microseconds, to the nanosecond.
Json bar(const std::string& name, const StepTimes::Event& event, int rank, int thread) {
  Json json = {{"name", name},
               {"ph", "X"},
               {"pid", rank},
               {"tid", thread},
               {"ts", rounded(event.start_s * 1e6, 1e-3)},
               {"dur", rounded(event.duration_s * 1e6, 1e-3)}};
  if (event.bytes > 0) json["args"] = {{"bytes", event.bytes}};
  return json;
}

Json title(const char* kind, const std::string& name, int rank, int thread) {
  return {{"name", kind}, {"ph", "M"}, {"pid", rank}, {"tid", thread}, {"args", {{"name", name}}}};
}

struct Share {
  double mean_s = 0, slowest_s = 0, bytes = 0;  ///< of a step; the bytes of one rank
};

Share share_of(const Json& ranks, const char* phase) {
  Share share;
  const auto num_ranks = static_cast<double>(ranks.size());
  for (const Json& rank : ranks) {
    const Json& entry = rank.at("phases").at(phase);
    const auto steps = rank.at("steps").get<double>();
    const double seconds = entry.at("seconds").get<double>() / steps;
    share.mean_s += seconds / num_ranks;
    share.slowest_s = std::max(share.slowest_s, seconds);
    share.bytes += entry.at("bytes").get<double>() / steps / num_ranks;
  }
  return share;
}

/// Mean over ranks of a number of theirs, per step.
double mean_of(const Json& ranks, const char* name) {
  double sum = 0;
  for (const Json& rank : ranks) sum += rank.at(name).get<double>() / rank.at("steps").get<double>();
  return sum / static_cast<double>(ranks.size());
}

}  // namespace

std::string trace_of(const StepTimes& times, int rank, const std::string& host) {
  Json events = {title("process_name", fmt::format("rank {} ({})", rank, host), rank, kPhaseThread),
                 title("thread_name", "phases", rank, kPhaseThread),
                 title("thread_name", "gradients on their way", rank, kGradientThread)};
  for (std::size_t i = 0; i < times.step_seconds.size(); ++i) {
    const StepTimes::Event step{Phase::kOther, times.step_starts_s[i], times.step_seconds[i], 0};
    const auto number = times.first_step + static_cast<std::int64_t>(i) + 1;
    events.push_back(bar(fmt::format("step {}", number), step, rank, kPhaseThread));
  }
  for (const StepTimes::Event& event : times.events)
    events.push_back(bar(name_of(event.phase), event, rank, kPhaseThread));
  for (const StepTimes::Event& event : times.in_flight)
    events.push_back(bar("gradients", event, rank, kGradientThread));
  return Json{{"displayTimeUnit", "ms"}, {"traceEvents", events}}.dump();
}

std::string summary_of_rank(const StepTimes& times, int rank, const std::string& host) {
  double wall = 0;
  for (const double seconds : times.step_seconds) wall += seconds;
  const StepTimes::Totals& reduction = times.of(Phase::kGradientReduction);
  Json json = {{"rank", rank},
               {"host", host},
               {"first_step", times.first_step + 1},
               {"steps", times.step_seconds.size()},
               {"wall_s", wall},
               {"gradients_exposed_s", reduction.seconds},
               {"gradients_overlapped_s", std::max(0.0, times.gradients_in_flight_s - reduction.seconds)},
               {"step_seconds", times.step_seconds}};
  for (std::size_t i = 0; i < kNumPhases; ++i) {
    const StepTimes::Totals& totals = times.phases[i];
    json["phases"][name_of(static_cast<Phase>(i))] = {
        {"seconds", totals.seconds}, {"bytes", totals.bytes}, {"calls", totals.calls}};
  }
  return json.dump();
}

ProfileSummary summarize(const std::vector<std::string>& texts, std::int64_t batch_size, const std::string& device) {
  Json ranks = Json::array();
  for (const std::string& text : texts) ranks.push_back(Json::parse(text));
  double wall = 0;
  for (const Json& rank : ranks) wall = std::max(wall, rank.at("wall_s").get<double>());
  const auto steps = ranks[0].at("steps").get<std::int64_t>();
  const auto first = ranks[0].at("first_step").get<std::int64_t>();
  const double per_step = wall / static_cast<double>(steps);
  const double rate = static_cast<double>(batch_size) / per_step;
  const double exposed = mean_of(ranks, "gradients_exposed_s");
  const double overlapped = mean_of(ranks, "gradients_overlapped_s");

  Json json = {{"device", device},
               {"first_step", first},
               {"steps", steps},
               {"world_size", ranks.size()},
               {"batch_size", batch_size},
               {"seconds_per_step", per_step},
               {"images_per_second", rate},
               {"gradients_exposed_s", exposed},
               {"gradients_overlapped_s", overlapped}};
  std::vector<std::string> table = {
      fmt::format("profile of steps {} to {} on {} ranks: {:.4g} s per step, {:.4g} images/s", first, first + steps - 1,
                  ranks.size(), per_step, rate),
      fmt::format("  {:<20} {:>11} {:>7} {:>13} {:>12}", "phase", "s per step", "share", "slowest rank",
                  "MB per rank")};
  for (std::size_t i = 0; i < kNumPhases; ++i) {
    const char* name = name_of(static_cast<Phase>(i));
    const Share share = share_of(ranks, name);
    json["phases"][name] = {
        {"seconds", share.mean_s}, {"seconds_slowest_rank", share.slowest_s}, {"bytes_per_rank", share.bytes}};
    table.push_back(fmt::format("  {:<20} {:>11.5f} {:>5.1f} % {:>13.5f} {:>12.3f}", name, share.mean_s,
                                100 * share.mean_s / per_step, share.slowest_s, share.bytes * 1e-6));
  }
  table.push_back(
      fmt::format("  gradients: {:.5f} s per step exposed, {:.5f} s overlapped with other work", exposed, overlapped));
  json["ranks"] = std::move(ranks);
  return {json.dump(1), std::move(table)};
}

}  // namespace barlow::train
