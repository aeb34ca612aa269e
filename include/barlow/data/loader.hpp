// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "barlow/data/augmentation.hpp"
#include "barlow/data/dataset.hpp"
#include "barlow/data/sampler.hpp"
#include "barlow/tensor/buffer.hpp"

namespace barlow::data {

/// One rank's part of a batch.
struct HostBatch {
  std::int64_t step = 0;
  std::vector<std::int64_t> sample_ids;  ///< [b]
  Buffer memory;                         ///< of the images, from LoaderOptions::allocate
  std::span<std::uint8_t> images;        ///< u8 [2,b,S,S,3], view 1 of every image first
};

enum class CorruptPolicy {
  kStop,     ///< an unreadable image ends the run, named
  kReplace,  ///< the next readable one (by number) stands in for it, with a warning; the same on any number of ranks
};

/// Plain memory of the host.
Buffer allocate_host(std::size_t size_bytes);

struct LoaderOptions {
  int num_workers = 1;
  int queue_depth = 2;  ///< batches made ahead
  CorruptPolicy corrupt_policy = CorruptPolicy::kStop;
  /// Memory of batches: where the device's copies are fast. Called by the thread that makes the loader and calls
  /// next().
  std::function<Buffer(std::size_t size_bytes)> allocate = allocate_host;
};

/// Makes batches ahead of time: threads read an image, decode it once and make both views. Batches come in the order of
/// their steps and are a pure function of (seed, step, rank, world_size). Threads end with the object, at any moment.
class Loader {
 public:
  struct Plan {
    std::uint64_t seed;
    int rank, world_size;
    std::int64_t first_step, num_steps;
  };
  /// @param dataset  outlives the loader
  Loader(const Dataset& dataset, Sampler sampler, const AugmentationOptions& augmentation, const LoaderOptions& options,
         const Plan& plan);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The batch of the next step; waits for it.
  /// @throws DataError naming the image, if one of the batch could not be read.
  HostBatch next();
  /// Gives a batch's memory back for a later one.
  void recycle(HostBatch&& batch);
  /// How long next() has waited in all.
  double wait_seconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace barlow::data
