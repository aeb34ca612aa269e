// SPDX-License-Identifier: Apache-2.0
#include "barlow/optim/gradient_reducer.hpp"

#include <algorithm>

namespace barlow::optim {

GradientReducer::GradientReducer(Collectives& collectives, const nn::ParameterLayout& layout, TensorView gradients,
                                 std::int64_t bucket_bytes)
    : collectives_(collectives),
      gradients_(gradients),
      bucket_elements_(bucket_bytes / static_cast<std::int64_t>(size_of(gradients.dtype))),
      begun_from_(gradients.num_elements()) {
  std::int64_t first = 0;
  for (const nn::Parameter& parameter : layout.parameters()) {
    if (!parameter.is_sharded()) continue;
    summed_.insert(summed_.begin(), {first, parameter.offset});
    first = parameter.offset + parameter.shape.num_elements();
  }
  summed_.insert(summed_.begin(), {first, gradients.num_elements()});
}

void GradientReducer::complete_from(std::int64_t offset) {
  collectives_.progress();
  if (begun_from_ - offset >= bucket_elements_) begin(offset);
}

void GradientReducer::begin(std::int64_t offset) {
  for (const Range& range : summed_) begin({std::max(range.first, offset), std::min(range.last, begun_from_)});
  begun_from_ = offset;
}

// Pieces of bucket size, last first: a sum of one 268 MB layer would start late and end later.
void GradientReducer::begin(Range range) {
  while (range.last > range.first) {
    const std::int64_t count = std::min(bucket_elements_, range.last - range.first);
    range.last -= count;
    collectives_.begin_all_reduce_sum(gradients_.slice(range.last, count));
  }
}

void GradientReducer::finish() {
  begin(0);
  collectives_.finish();
  begun_from_ = gradients_.num_elements();
}

}  // namespace barlow::optim
