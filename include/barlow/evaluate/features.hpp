// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "barlow/data/dataset.hpp"
#include "barlow/evaluate/encoder.hpp"

namespace barlow::evaluate {

/// This rank's share of a dataset's features: sample i is on rank i mod world_size, in order.
struct Features {
  std::int64_t num_samples = 0;  ///< over all ranks
  std::int64_t width = 0;
  std::vector<float> values;         ///< [n, width] of this rank
  std::vector<std::int32_t> labels;  ///< [n]

  std::int64_t local_samples() const { return static_cast<std::int64_t>(labels.size()); }
};

/// Encodes every image of a dataset: the shorter side to image_size * 256/224 and the centre, or the image as it is
/// where it has the right size already. An untrained encoder's statistics should have been observed before.
/// @throws DataError naming an image that cannot be read, or an image and the encoder that has no finite features of
/// it.
Features extract_features(const data::Dataset& dataset, Encoder& encoder, const train::Runtime& runtime);

/// The pixels themselves, in 0..1: what an encoder must beat. @throws DataError as extract_features().
Features raw_pixels(const data::Dataset& dataset, std::int64_t image_size, const train::Runtime& runtime);

/// One pass over at most `max_images` for an untrained encoder. Collective.
void observe_statistics(const data::Dataset& dataset, Encoder& encoder, std::int64_t max_images,
                        const train::Runtime& runtime);

/// Scales every feature to mean 0 and variance 1 over the training samples of all ranks. Collective.
void standardize(Features& train, Features& test, const train::Runtime& runtime);

}  // namespace barlow::evaluate
