// SPDX-License-Identifier: Apache-2.0
#include "staged_collectives.hpp"

namespace barlow {

TensorView StagedCollectives::stage(std::size_t number, ConstTensorView like) {
  if (stages_.size() <= number) stages_.resize(number + 1);
  if (stages_[number].size_bytes() < like.size_bytes()) {
    backend_.synchronize();  // a copy to the device may still read the old one
    stages_[number] = backend_.allocate_staging(like.size_bytes());
  }
  return {stages_[number].data(), like.dtype, like.shape};
}

// Stages of sums that were begun stay in use until finish(): others take the next free ones.
void StagedCollectives::all_reduce_sum(TensorView values) {
  const TensorView host = stage(pending_.size(), values);
  backend_.copy_to_host(values, host);
  host_->all_reduce_sum(host);
  backend_.copy_to_device(host, values);
}

void StagedCollectives::all_gather(ConstTensorView local, TensorView gathered) {
  const TensorView from = stage(pending_.size(), local), to = stage(pending_.size() + 1, gathered);
  backend_.copy_to_host(local, from);
  host_->all_gather(from, to);
  backend_.copy_to_device(to, gathered);
}

void StagedCollectives::broadcast(TensorView values) {
  const TensorView host = stage(pending_.size(), values);
  backend_.copy_to_host(values, host);
  host_->broadcast(host);
  backend_.copy_to_device(host, values);
}

void StagedCollectives::begin_all_reduce_sum(TensorView values) {
  const TensorView host = stage(pending_.size(), values);
  pending_.push_back(values);
  backend_.copy_to_host(values, host);
  host_->begin_all_reduce_sum(host);
}

void StagedCollectives::finish() {
  host_->finish();
  for (std::size_t i = 0; i < pending_.size(); ++i) backend_.copy_to_device(stage(i, pending_[i]), pending_[i]);
  pending_.clear();
}

}  // namespace barlow
