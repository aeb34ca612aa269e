// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/sampler.hpp"

#include <numeric>
#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/base/random.hpp"

namespace barlow::data {

Sampler::Sampler(std::int64_t num_samples, std::int64_t global_batch, std::uint64_t seed, LastBatch last_batch)
    : num_samples_(num_samples),
      global_batch_(global_batch),
      seed_(seed),
      steps_per_epoch_(num_samples / global_batch),
      last_batch_size_(global_batch) {
  if (num_samples < global_batch) {
    throw ConfigError("a batch of " + std::to_string(global_batch) + " images needs more than the " +
                      std::to_string(num_samples) + " of the dataset; give a smaller --batch-size");
  }
  if (const std::int64_t rest = num_samples % global_batch; last_batch == LastBatch::kOfficial && rest > 0) {
    ++steps_per_epoch_;
    last_batch_size_ = rest;
  }
}

std::vector<std::int64_t> Sampler::sample_ids(std::int64_t step, int rank, int world_size) {
  if (const std::int64_t epoch = step / steps_per_epoch_; epoch != epoch_) permute(epoch);
  const std::int64_t step_of_epoch = step % steps_per_epoch_;
  const std::int64_t batch = step_of_epoch == steps_per_epoch_ - 1 ? last_batch_size_ : global_batch_;
  const std::int64_t share = batch / world_size;
  const auto first = order_.begin() + step_of_epoch * global_batch_ + rank * share;
  return {first, first + share};
}

// Fisher and Yates, with a stream of the epoch's own.
void Sampler::permute(std::int64_t epoch) {
  order_.resize(static_cast<std::size_t>(num_samples_));
  std::iota(order_.begin(), order_.end(), 0);
  RandomStream random(seed_, RandomStream::Purpose::kPermutation, static_cast<std::uint64_t>(epoch));
  for (std::size_t i = order_.size() - 1; i > 0; --i) std::swap(order_[i], order_[random.next_below(i + 1)]);
  epoch_ = epoch;
}

}  // namespace barlow::data
