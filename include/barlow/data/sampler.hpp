// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace barlow::data {

/// What becomes of the images that do not fill a batch at the end of an epoch.
enum class LastBatch {
  kDrop,      ///< they wait for the order of another epoch
  kOfficial,  ///< a smaller batch ends the epoch; the loss still divides by the full batch, as the original does
};

/// The order of the images: one permutation per epoch, a pure function of (seed, epoch). Global batch s of an epoch is
/// perm[s B, (s+1) B) whatever the number of ranks; rank r has the r-th of its equal shares. Not thread-safe.
class Sampler {
 public:
  /// @throws ConfigError if there are fewer samples than one batch needs.
  Sampler(std::int64_t num_samples, std::int64_t global_batch, std::uint64_t seed,
          LastBatch last_batch = LastBatch::kDrop);

  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  std::int64_t global_batch() const { return global_batch_; }
  /// Images of the batch that ends an epoch: global_batch() but for kOfficial.
  std::int64_t last_batch_of_epoch() const { return last_batch_size_; }

  /// The sample numbers of one rank in one step, counted over the whole run. world_size divides every batch.
  std::vector<std::int64_t> sample_ids(std::int64_t step, int rank, int world_size);

 private:
  void permute(std::int64_t epoch);

  std::int64_t num_samples_, global_batch_;
  std::uint64_t seed_;
  std::int64_t steps_per_epoch_, last_batch_size_;
  std::int64_t epoch_ = -1;  ///< of order_
  std::vector<std::int64_t> order_;
};

}  // namespace barlow::data
