// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace barlow::optim {

/// Dynamic loss scaling (Micikevicius et al. 2018): fp16 gradients are computed `value` times too large, so that small
/// ones survive. A step whose gradients overflow is skipped and halves the value; kGrowthSteps steps without one double
/// it. Powers of two, so that scaling rounds nothing. The same on every rank, because gradients are.
struct LossScale {
  static constexpr double kStart = 65536, kLargest = 16777216;
  static constexpr std::int64_t kGrowthSteps = 2000;

  double value = 1;               ///< 1: no scaling
  std::int64_t steady_steps = 0;  ///< since it changed

  /// After a step. @returns false when gradients overflow although the value cannot be halved: they are not finite
  bool update(bool overflowed) {
    if (overflowed) {
      steady_steps = 0;
      if (value <= 1) return false;
      value /= 2;
    } else if (++steady_steps == kGrowthSteps) {
      steady_steps = 0;
      if (value < kLargest) value *= 2;
    }
    return true;
  }
};

}  // namespace barlow::optim
