// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace barlow::train {

/// Which of the sampler's batches a step takes. The batch that follows takes the place of one that is skipped: the run
/// keeps its number of steps, its schedule and its lines of metrics, and ends that many batches later in the sampler's
/// order.
class BatchOrder {
 public:
  explicit BatchOrder(std::vector<std::int64_t> skipped) : skipped_(std::move(skipped)) {
    std::sort(skipped_.begin(), skipped_.end());
  }

  bool skips(std::int64_t batch) const { return std::binary_search(skipped_.begin(), skipped_.end(), batch); }
  std::int64_t batch_of(std::int64_t step) const {
    std::int64_t batch = step;
    for (const std::int64_t skipped : skipped_) {
      if (skipped <= batch) ++batch;
    }
    return batch;
  }

 private:
  std::vector<std::int64_t> skipped_;
};

}  // namespace barlow::train
