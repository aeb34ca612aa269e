// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <functional>
#include <vector>

#include "barlow/base/random.hpp"
#include "barlow/train/training_step.hpp"

namespace barlow::testing {

/// A narrow ResNet-18 and a batch of images small enough for a test of whole steps, the same on any number of ranks.
struct SmallTraining {
  static constexpr std::int64_t kBatch = 8, kSize = 16;

  train::PretrainConfig config;
  train::StepOptions options;

  SmallTraining(DType dtype, int world_size, ssl::LossForm form = ssl::LossForm::kGram)
      : options{.dtype = dtype,
                .local_batch = kBatch / world_size,
                .lars = {},
                .loss = {.gradient_scale = 1.0F / 16, .form = form, .divisor = kBatch}} {
    config.architecture = "resnet18";
    config.backbone_width = 16;
    config.stem = "imagenet";
    config.image_size = kSize;
    config.projector = "64-64";
    config.batch_size = kBatch;
  }

  /// This rank's views of the step-th batch, [2,b,S,S,3], of `images` on each rank.
  static std::vector<std::uint8_t> pixels(int step, int rank, std::int64_t images) {
    std::vector<std::uint8_t> values;
    for (std::int64_t view = 0; view < 2; ++view) {
      for (std::int64_t i = 0; i < images; ++i) {
        RandomStream random(7, RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(step),
                            static_cast<std::uint64_t>(2 * (rank * images + i) + view));
        for (std::int64_t p = 0; p < kSize * kSize * 3; ++p)
          values.push_back(static_cast<std::uint8_t>(random.next_u32() >> 24));
      }
    }
    return values;
  }
};

/// What training leaves behind, for comparisons of bits.
struct Trajectory {
  std::vector<double> losses;
  std::vector<float> values, buffers, embeddings;
  bool operator==(const Trajectory&) const = default;
};

/// How a training goes on; what is not given is the same in every step.
struct Course {
  int num_steps = 4;
  std::function<std::int64_t(int step)> images_of{};  ///< images per rank
  std::function<void(int step)> before{};             ///< called before a step
  std::function<train::StepInput(int step)> input{};  ///< instead of the batches that train_steps() brings
  train::Trace* trace = nullptr;
  train::Profiler* profiler = nullptr;
};

/// Trains from fixed initial values with rates that change from step to step. Batches come through one piece of staging
/// memory, which is written anew as soon as a step's compute() has returned.
inline Trajectory train_steps(train::TrainingStep& step, Backend& backend, int rank, std::int64_t local_batch,
                              const Course& course) {
  constexpr std::int64_t S = SmallTraining::kSize;
  nn::initialize(step.store(), backend, 3);
  const Buffer staging = backend.allocate_staging(static_cast<std::size_t>(2 * local_batch * S * S * 3));
  const std::vector<std::int64_t> ids(static_cast<std::size_t>(local_batch));
  Trajectory result;
  for (int i = 0; i < course.num_steps; ++i) {
    if (course.before) course.before(i);
    const std::int64_t images = course.images_of ? course.images_of(i) : local_batch;
    const auto pixels = SmallTraining::pixels(i, rank, images);
    std::memcpy(staging.data(), pixels.data(), pixels.size());
    const train::StepInput own{ConstTensorView(staging.data(), DType::kU8, {2, images, S, S, 3}), ids};
    const auto done = step.compute(course.input ? course.input(i) : own, course.trace, course.profiler);
    std::memset(staging.data(), 0xFF, staging.size_bytes());
    if (done.non_finite) throw Error(*done.non_finite + " is not finite");
    step.update(done, {0.2 + 0.01 * i, 0.005});
    result.losses.push_back(done.on_diagonal + done.off_diagonal);
  }
  const auto to_host = [&](TensorView tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.num_elements()));
    backend.copy_to_host(tensor, TensorView(values.data(), DType::kF32, tensor.shape));
    return values;
  };
  result.values = to_host(step.gather_state().values());
  result.buffers = to_host(step.store().buffers());
  result.embeddings = step.normalized_embeddings();
  return result;
}

}  // namespace barlow::testing
