// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

namespace barlow::train {

/// What a rank does in a step, for `--profile-steps`. The work of a phase is its own: an exchange within backward
/// counts as the exchange, not as backward.
enum class Phase {
  kInputWait,          ///< for the loader's next batch
  kAgreement,          ///< the ranks agree on going on: here a rank waits for one whose input is late
  kUpload,             ///< the batch to the device, and normalisation
  kForward,            ///< backbone, projector and the norm of the loss
  kBackward,           ///< of the same
  kBatchNormExchange,  ///< sums of batch norms over ranks
  kEmbeddingGather,    ///< what the loss exchanges: embeddings (Gram form) or the correlation matrix (direct form)
  kGradientReduction,  ///< exposed part of the gradients' sum over ranks, and what sharded weights exchange instead
  kLoss,               ///< loss and its gradient
  kLars,               ///< norms and update
  kCheckpoint,         ///< saving
  kOther,              ///< what no other phase claims: metrics, log, bookkeeping
};
inline constexpr std::size_t kNumPhases = static_cast<std::size_t>(Phase::kOther) + 1;

/// `input_wait`, `batch_norm_exchange` ...: the names in tables and files.
const char* name_of(Phase phase);

/// Where the time of the profiled steps went on one rank.
struct StepTimes {
  struct Totals {
    double seconds = 0;  ///< without the phases inside it
    std::int64_t bytes = 0, calls = 0;
  };
  /// One stay in a phase, those inside it included; seconds since the first profiled step began.
  struct Event {
    Phase phase;
    double start_s, duration_s;
    std::int64_t bytes;
  };
  std::int64_t first_step = 0;        ///< steps done before the first profiled one
  std::vector<double> step_starts_s;  ///< since the first profiled step began
  std::vector<double> step_seconds;   ///< their sum is that of all phases
  std::array<Totals, kNumPhases> phases{};
  /// Time in which gradients were on their way: exposed in kGradientReduction, else overlapped with other work.
  double gradients_in_flight_s = 0;
  std::vector<Event> events;     ///< in the order they ended
  std::vector<Event> in_flight;  ///< of gradients

  const Totals& of(Phase phase) const { return phases[static_cast<std::size_t>(phase)]; }
};

/// Times phases between begin_step() and end_step(), on one thread. Phases nest; each second counts once, for the
/// innermost. Outside a step, nothing is recorded.
class Profiler {
 public:
  /// @param synchronize  waits for the device, so that asynchronous work counts where it was asked for
  /// @param now_s        seconds on a clock that never jumps
  Profiler(std::function<void()> synchronize, std::function<double()> now_s);

  /// Starts to time a step; ends one that is open.
  void begin_step(std::int64_t steps_done);
  void end_step();
  /// Forgets the step that is open: it will not be done.
  void drop_step();
  bool is_active() const { return !open_.empty(); }
  const StepTimes& times() const { return times_; }
  /// The phase that counts now. In a step only.
  Phase innermost() const { return open_.back().phase; }

  void enter(Phase phase);
  void leave();
  /// Adds to the innermost phase.
  void add_bytes(std::int64_t bytes);
  void synchronize() { synchronize_(); }

  /// The first sum of gradients of a step has begun; all have ended.
  void gradients_depart();
  void gradients_arrive();

 private:
  struct Open {
    Phase phase;
    double start_s, inside_s;
    std::int64_t bytes;
  };
  double now() const { return now_s_() - origin_s_; }

  std::function<void()> synchronize_;
  std::function<double()> now_s_;
  double origin_s_ = 0;
  double departed_s_ = -1;  ///< below 0: no gradients on their way
  std::vector<Open> open_;  ///< the step itself is kOther, outermost
  StepTimes times_;
  /// What had been recorded when the open step began.
  struct Mark {
    std::array<StepTimes::Totals, kNumPhases> phases;
    double gradients_in_flight_s;
    std::size_t num_events, num_in_flight;
  } mark_{};
};

/// A stay in a phase, as long as the object lives. Does nothing for a profiler that is null or between steps.
class PhaseScope {
 public:
  enum class Border {
    kWaits,  ///< for the device, at the beginning and at the end
    kFree,   ///< leaves it alone: for calls that only start something
  };
  PhaseScope(Profiler* profiler, Phase phase, Border border = Border::kWaits)
      : profiler_(profiler != nullptr && profiler->is_active() ? profiler : nullptr), border_(border) {
    if (profiler_ == nullptr) return;
    if (border_ == Border::kWaits) profiler_->synchronize();
    profiler_->enter(phase);
  }
  ~PhaseScope();
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;

  /// Leaves the phase for another.
  void next(Phase phase) {
    if (profiler_ == nullptr) return;
    if (border_ == Border::kWaits) profiler_->synchronize();
    profiler_->leave();
    profiler_->enter(phase);
  }
  void add_bytes(std::int64_t bytes) {
    if (profiler_ != nullptr) profiler_->add_bytes(bytes);
  }

 private:
  Profiler* profiler_;
  Border border_;
};

}  // namespace barlow::train
