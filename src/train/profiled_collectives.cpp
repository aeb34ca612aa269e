// SPDX-License-Identifier: Apache-2.0
#include "profiled_collectives.hpp"

namespace barlow::train {

Phase ProfiledCollectives::outer_phase() const { return profiler_.is_active() ? profiler_.innermost() : Phase::kOther; }

// A sum is the loss's within the loss, of the norms of sharded weights within the update, else a batch norm's.
void ProfiledCollectives::all_reduce_sum(TensorView values) {
  const Phase outer = outer_phase();
  PhaseScope scope(&profiler_, outer == Phase::kLoss   ? Phase::kEmbeddingGather
                               : outer == Phase::kLars ? Phase::kGradientReduction
                                                       : Phase::kBatchNormExchange);
  scope.add_bytes(bytes_of(values.size_bytes()));
  to_.all_reduce_sum(values);
}

// In backward and in the update a gather is what sharded weights have in the place of a sum of gradients.
void ProfiledCollectives::all_gather(ConstTensorView local, TensorView gathered) {
  const Phase outer = outer_phase();
  const bool of_weights = outer == Phase::kBackward || outer == Phase::kLars;
  PhaseScope scope(&profiler_, of_weights ? Phase::kGradientReduction : Phase::kEmbeddingGather);
  scope.add_bytes(bytes_of(gathered.size_bytes()));
  to_.all_gather(local, gathered);
}

void ProfiledCollectives::begin_all_reduce_sum(TensorView values) {
  if (world_size() > 1) profiler_.gradients_depart();
  gradients_travel_ = true;
  PhaseScope scope(&profiler_, Phase::kGradientReduction, PhaseScope::Border::kFree);
  scope.add_bytes(bytes_of(values.size_bytes()));
  to_.begin_all_reduce_sum(values);
}

void ProfiledCollectives::progress() {
  if (!gradients_travel_) return to_.progress();
  const PhaseScope scope(&profiler_, Phase::kGradientReduction, PhaseScope::Border::kFree);
  to_.progress();
}

void ProfiledCollectives::finish() {
  {
    const PhaseScope scope(&profiler_, Phase::kGradientReduction);
    to_.finish();
  }
  profiler_.gradients_arrive();
  gradients_travel_ = false;
}

}  // namespace barlow::train
