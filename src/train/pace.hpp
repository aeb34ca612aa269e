// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "barlow/base/clock.hpp"
#include "barlow/train/metrics.hpp"

namespace barlow::train {

/// How fast a start of a run goes: since the last logged line, and since it began to train.
class Pace {
 public:
  explicit Pace(std::int64_t total_steps) : total_steps_(total_steps) {}

  /// Training begins.
  void begin(std::int64_t steps_done) {
    first_step_ = steps_done;
    since_begin_.restart();
    begin_line(steps_done);
  }
  /// The first interval between lines begins, with a new loader.
  void begin_line(std::int64_t steps_done) {
    step_of_line_ = steps_done;
    waited_at_line_s_ = 0;
    since_line_.restart();
  }
  /// Fills in what a line says of time, and begins the next interval. @param waited_s  for the loader, since its begin
  void end_line(StepMetrics& metrics, std::int64_t batch_size, double waited_s) {
    const double elapsed = since_line_.restart();
    metrics.images_per_second = static_cast<double>((metrics.step - step_of_line_) * batch_size) / elapsed;
    metrics.loader_wait_share = (waited_s - waited_at_line_s_) / elapsed;
    metrics.total_steps = total_steps_;
    metrics.seconds_left = seconds_left(metrics.step);
    step_of_line_ = metrics.step;
    waited_at_line_s_ = waited_s;
  }

  double elapsed_s() const { return since_begin_.elapsed_s(); }
  /// Until the run's end, after at least one step of this start.
  double seconds_left(std::int64_t steps_done) const {
    const double per_step = elapsed_s() / static_cast<double>(steps_done - first_step_);
    return per_step * static_cast<double>(total_steps_ - steps_done);
  }

 private:
  std::int64_t total_steps_, first_step_ = 0, step_of_line_ = 0;
  double waited_at_line_s_ = 0;
  Stopwatch since_begin_, since_line_;
};

}  // namespace barlow::train
