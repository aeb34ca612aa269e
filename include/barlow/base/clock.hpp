// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace barlow {

/// Seconds since construction or the last restart, on a clock that never jumps.
class Stopwatch {
 public:
  double elapsed_s() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Returns the elapsed time and starts again from zero.
  double restart() {
    const double elapsed = elapsed_s();
    start_ = Clock::now();
    return elapsed;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

}  // namespace barlow
