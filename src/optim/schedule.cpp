// SPDX-License-Identifier: Apache-2.0
#include "barlow/optim/schedule.hpp"

#include <cmath>
#include <numbers>

namespace barlow::optim {

Schedule::Rates Schedule::at(std::int64_t step) const {
  const double peak = static_cast<double>(batch_size_) / 256;
  double scale = 0;
  if (step < warmup_steps_) {
    scale = peak * static_cast<double>(step) / static_cast<double>(warmup_steps_);
  } else {
    const double progress =
        static_cast<double>(step - warmup_steps_) / static_cast<double>(total_steps_ - warmup_steps_);
    const double q = 0.5 * (1 + std::cos(std::numbers::pi * progress));
    scale = peak * q + peak * 0.001 * (1 - q);
  }
  return {scale * base_.weights, scale * base_.biases};
}

}  // namespace barlow::optim
