// SPDX-License-Identifier: Apache-2.0
#include "barlow/optim/gradient_reducer.hpp"

#include <algorithm>

namespace barlow::optim {

void GradientReducer::complete_from(std::int64_t offset) {
  collectives_.progress();
  if (begun_from_ - offset >= bucket_elements_) begin(offset);
}

void GradientReducer::begin(std::int64_t offset) {
  // Pieces of bucket size, last first: a sum of one 268 MB layer would start late and end later.
  while (begun_from_ > offset) {
    const std::int64_t count = std::min(bucket_elements_, begun_from_ - offset);
    begun_from_ -= count;
    collectives_.begin_all_reduce_sum(gradients_.slice(begun_from_, count));
  }
}

void GradientReducer::finish() {
  begin(0);
  collectives_.finish();
  begun_from_ = gradients_.num_elements();
}

}  // namespace barlow::optim
