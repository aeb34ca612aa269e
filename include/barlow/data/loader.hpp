// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "barlow/base/log.hpp"
#include "barlow/data/augmentation.hpp"
#include "barlow/data/dataset.hpp"
#include "barlow/data/sampler.hpp"
#include "barlow/pixels/view_plan.hpp"
#include "barlow/tensor/buffer.hpp"

namespace barlow::data {

/// One rank's part of a batch.
struct HostBatch {
  std::int64_t step = 0;
  std::vector<std::int64_t> sample_ids;  ///< [b]
  Buffer memory;                         ///< of the images, from LoaderOptions::allocate
  /// Views, u8 [2,b,S,S,3], view 1 of every image first; or, where there are plans, the pixels that those are about.
  std::span<std::uint8_t> images;
  std::span<pixels::ViewPlan> plans;  ///< [2b], for Backend::make_views; none where the images are views
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
  /// 0: batches hold views. Else they hold pixels and plans, for a device to make the views; pixels have room for so
  /// many bytes per image on average, and an image for which there is none is made into its views by the worker.
  std::size_t image_bytes = 0;
  /// Memory of batches: where the device's copies are fast. Called by the thread that makes the loader and calls
  /// next().
  std::function<Buffer(std::size_t size_bytes)> allocate = allocate_host;
  /// Says which image is replaced; called by any thread, one at a time.
  std::function<void(std::string_view message)> warn = log::warning;
};

/// What image_bytes should be for a set of images: most batches fit.
std::size_t room_per_image(const Dataset& dataset, int view_size);

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
  /// The same if it is there already; never throws.
  std::optional<HostBatch> try_next();
  /// Gives a batch's memory back for a later one.
  void recycle(HostBatch&& batch);
  /// How long next() has waited in all.
  double wait_seconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace barlow::data
