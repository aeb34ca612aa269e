// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/profiler.hpp"

#include <utility>

#include "barlow/base/error.hpp"

namespace barlow::train {

const char* name_of(Phase phase) {
  constexpr std::array<const char*, kNumPhases> kNames = {
      "input_wait",       "agreement",          "upload", "forward", "backward",   "batch_norm_exchange",
      "embedding_gather", "gradient_reduction", "loss",   "lars",    "checkpoint", "other"};
  return kNames[static_cast<std::size_t>(phase)];
}

Profiler::Profiler(std::function<void()> synchronize, std::function<double()> now_s)
    : synchronize_(std::move(synchronize)), now_s_(std::move(now_s)) {}

void Profiler::begin_step(std::int64_t steps_done) {
  end_step();
  synchronize_();
  if (times_.step_seconds.empty()) {
    times_.first_step = steps_done;
    origin_s_ = now_s_();
  }
  mark_ = {times_.phases, times_.gradients_in_flight_s, times_.events.size(), times_.in_flight.size()};
  enter(Phase::kOther);
  times_.step_starts_s.push_back(open_.back().start_s);
}

void Profiler::end_step() {
  if (!is_active()) return;
  synchronize_();
  while (open_.size() > 1) leave();  // phases that an exception has left
  times_.step_seconds.push_back(now() - open_.back().start_s);
  leave();
  times_.events.pop_back();  // the step itself is no stay in a phase
}

void Profiler::drop_step() {
  if (!is_active()) return;
  open_.clear();
  departed_s_ = -1;
  times_.step_starts_s.pop_back();
  times_.phases = mark_.phases;
  times_.gradients_in_flight_s = mark_.gradients_in_flight_s;
  times_.events.resize(mark_.num_events);
  times_.in_flight.resize(mark_.num_in_flight);
}

void Profiler::enter(Phase phase) { open_.push_back({phase, now(), 0, 0}); }

void Profiler::leave() {
  const Open closed = open_.back();
  open_.pop_back();
  const double duration = now() - closed.start_s;
  if (!open_.empty()) open_.back().inside_s += duration;
  auto& totals = times_.phases[static_cast<std::size_t>(closed.phase)];
  totals.seconds += duration - closed.inside_s;
  totals.bytes += closed.bytes;
  ++totals.calls;
  times_.events.push_back({closed.phase, closed.start_s, duration, closed.bytes});
}

void Profiler::add_bytes(std::int64_t bytes) { open_.back().bytes += bytes; }

void Profiler::gradients_depart() {
  if (is_active() && departed_s_ < 0) departed_s_ = now();
}

void Profiler::gradients_arrive() {
  if (is_active() && departed_s_ >= 0) {
    const double duration = now() - departed_s_;
    times_.gradients_in_flight_s += duration;
    times_.in_flight.push_back({Phase::kGradientReduction, departed_s_, duration, 0});
  }
  departed_s_ = -1;
}

PhaseScope::~PhaseScope() {
  if (profiler_ == nullptr) return;
  try {
    if (border_ == Border::kWaits) profiler_->synchronize();
  } catch (const Error&) {
    // A device that has failed says so again at its next call, where it can be reported.
  }
  profiler_->leave();
}

}  // namespace barlow::train
