// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace barlow::optim {

/// The learning rates of every step: linear warm-up over `warmup_steps`, then a cosine to 1/1000, both times
/// batch_size / 256. The first step of a warm-up has rate 0: momentum fills, weights stay.
class Schedule {
 public:
  struct Rates {
    double weights, biases;  ///< of tensors of rank 2 and more; of the others
  };

  Schedule(Rates base, std::int64_t batch_size, std::int64_t warmup_steps, std::int64_t total_steps)
      : base_(base), batch_size_(batch_size), warmup_steps_(warmup_steps), total_steps_(total_steps) {}

  /// @param step  steps done before this one, over the whole run
  Rates at(std::int64_t step) const;

 private:
  Rates base_;
  std::int64_t batch_size_, warmup_steps_, total_steps_;
};

}  // namespace barlow::optim
