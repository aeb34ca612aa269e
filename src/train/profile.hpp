// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "barlow/train/config.hpp"
#include "barlow/train/profiler.hpp"
#include "barlow/train/trainer.hpp"

namespace barlow::train {

/// `--profile-steps N`: profiles N steps of this start after a short warm-up, and then tells where their time went: a
/// table in the log, RUN/profile.json with all ranks, and for each rank RUN/profile-rank0000.json, a trace for Perfetto
/// (ui.perfetto.dev) or chrome://tracing. A file that cannot be written is a warning: the run goes on.
class Profile {
 public:
  /// @param config, runtime  outlive it
  Profile(const PretrainConfig& config, const Runtime& runtime);
  ~Profile();

  /// What the step exchanges through: the runtime's own collectives when nothing is to be profiled.
  Collectives& collectives();
  /// Null when nothing is to be profiled.
  Profiler* profiler() { return profiler_.get(); }
  /// A step begins, and the one before has ended. Collective, when that was the last to be profiled.
  void begin_step(std::int64_t steps_done);
  /// The step that has begun will not be done.
  void drop_step();
  /// There are no more steps. Collective, unless all has been told.
  void finish();

 private:
  void tell();

  const PretrainConfig& config_;
  const Runtime& runtime_;
  std::unique_ptr<Profiler> profiler_;
  std::unique_ptr<Collectives> collectives_;
  std::int64_t steps_begun_ = 0;
  bool told_ = false;
};

}  // namespace barlow::train
