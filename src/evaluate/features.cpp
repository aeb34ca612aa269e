// SPDX-License-Identifier: Apache-2.0
#include "barlow/evaluate/features.hpp"

#include <algorithm>
#include <cmath>
#include <exception>

#include "barlow/base/error.hpp"
#include "barlow/data/augmentation.hpp"
#include "barlow/data/image_decoder.hpp"

namespace barlow::evaluate {
namespace {

/// Makes evaluation views of single images, u8 [S,S,3].
class ViewMaker {
 public:
  ViewMaker(const data::Dataset& dataset, std::int64_t image_size)
      : dataset_(dataset), size_(static_cast<int>(image_size)) {}

  void make(std::int64_t sample, std::span<std::uint8_t> view) {
    decoder_.read(dataset_, sample, bytes_, image_);
    if (image_.width == size_ && image_.height == size_) {
      std::copy(image_.pixels.begin(), image_.pixels.end(), view.begin());
    } else {
      data::resize_center_crop(image_, size_ * 256 / 224, size_, scratch_, view);
    }
  }

 private:
  const data::Dataset& dataset_;
  int size_;
  data::ImageDecoder decoder_;
  data::AugmentationScratch scratch_;
  std::vector<std::uint8_t> bytes_;
  data::Image image_;
};

/// u8 [count,S,S,3] of samples first, first + stride, ...
std::vector<std::uint8_t> make_views(const data::Dataset& dataset, std::int64_t image_size, std::int64_t first,
                                     std::int64_t stride, std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(image_size * image_size * 3);
  std::vector<std::uint8_t> views(bytes * static_cast<std::size_t>(count));
  std::exception_ptr error;
#pragma omp parallel
  {
    ViewMaker maker(dataset, image_size);
#pragma omp for schedule(dynamic, 4)
    for (std::int64_t i = 0; i < count; ++i) {
      try {
        maker.make(first + i * stride, std::span(views).subspan(static_cast<std::size_t>(i) * bytes, bytes));
      } catch (...) {
#pragma omp critical
        error = std::current_exception();
      }
    }
  }
  if (error) std::rethrow_exception(error);
  return views;
}

/// Calls f(first position, views) for every batch of this rank's samples.
template <class F>
void for_each_batch(const data::Dataset& dataset, std::int64_t image_size, const train::Runtime& runtime, F&& f) {
  const std::int64_t rank = runtime.session.rank(), world_size = runtime.session.world_size();
  const std::int64_t local = (dataset.size() - rank + world_size - 1) / world_size;
  for (std::int64_t first = 0; first < local; first += Encoder::kBatch) {
    const std::int64_t count = std::min(Encoder::kBatch, local - first);
    const auto views = make_views(dataset, image_size, rank + first * world_size, world_size, count);
    f(first, ConstTensorView(views.data(), DType::kU8, {count, image_size, image_size, 3}));
  }
}

Features allocate(const data::Dataset& dataset, std::int64_t width, const train::Runtime& runtime) {
  Features features{.num_samples = dataset.size(), .width = width, .values = {}, .labels = {}};
  for (std::int64_t i = runtime.session.rank(); i < dataset.size(); i += runtime.session.world_size()) {
    const std::int32_t label = dataset.info(i).label;
    if (label < 0) throw DataError(dataset.describe(i) + ": has no label; evaluation needs a dataset with labels");
    features.labels.push_back(label);
  }
  features.values.resize(features.labels.size() * static_cast<std::size_t>(width));
  return features;
}

/// A NaN compares with nothing: nearest neighbours of such features would find any class right, and a classifier none.
void require_finite(std::span<const float> features, const Encoder& encoder, const std::string& image) {
  if (std::all_of(features.begin(), features.end(), [](float value) { return std::isfinite(value); })) return;
  throw DataError("features of " + image + " are not finite: the weights of \"" + encoder.options().checkpoint +
                  "\" have a NaN or an infinity, or are too large for --precision " + encoder.options().precision +
                  "; take an earlier checkpoint, or try --precision fp32");
}

}  // namespace

Features extract_features(const data::Dataset& dataset, Encoder& encoder, const train::Runtime& runtime) {
  Features features = allocate(dataset, encoder.num_features(), runtime);
  for_each_batch(dataset, encoder.options().image_size, runtime, [&](std::int64_t first, ConstTensorView views) {
    float* target = features.values.data() + first * features.width;
    encoder.encode(views, TensorView(target, DType::kF32, {views.shape[0], features.width}));
    for (std::int64_t row = 0; row < views.shape[0]; ++row) {
      const std::int64_t sample = runtime.session.rank() + (first + row) * runtime.session.world_size();
      require_finite({target + row * features.width, static_cast<std::size_t>(features.width)}, encoder,
                     dataset.describe(sample));
    }
  });
  return features;
}

Features raw_pixels(const data::Dataset& dataset, std::int64_t image_size, const train::Runtime& runtime) {
  Features features = allocate(dataset, image_size * image_size * 3, runtime);
  for_each_batch(dataset, image_size, runtime, [&](std::int64_t first, ConstTensorView views) {
    const auto* pixels = views.as<std::uint8_t>();
    std::transform(pixels, pixels + views.num_elements(), features.values.begin() + first * features.width,
                   [](std::uint8_t value) { return static_cast<float>(value) / 255.0F; });
  });
  return features;
}

void observe_statistics(const data::Dataset& dataset, Encoder& encoder, std::int64_t max_images,
                        const train::Runtime& runtime) {
  const std::int64_t world_size = runtime.session.world_size(), size = encoder.options().image_size;
  const std::int64_t batch = std::min(Encoder::kBatch, std::max<std::int64_t>(1, dataset.size() / world_size));
  const std::int64_t batches = std::max<std::int64_t>(1, std::min(dataset.size(), max_images) / (batch * world_size));
  // Spread over the whole set, which may be sorted by class.
  const std::int64_t stride = std::max<std::int64_t>(1, dataset.size() / (batch * batches * world_size));
  for (std::int64_t i = 0; i < batches; ++i) {
    const std::int64_t first = (i + batches * runtime.session.rank()) * stride;
    const auto views = make_views(dataset, size, first, stride * batches * world_size, batch);
    encoder.observe_statistics(ConstTensorView(views.data(), DType::kU8, {batch, size, size, 3}));
  }
}

void standardize(Features& train, Features& test, const train::Runtime& runtime) {
  const auto width = static_cast<std::size_t>(train.width);
  std::vector<double> sums(2 * width, 0.0);
  for (std::size_t i = 0; i < train.values.size(); ++i) {
    const double value = train.values[i];
    sums[i % width] += value;
    sums[width + i % width] += value * value;
  }
  runtime.collectives.all_reduce_sum(TensorView(sums.data(), DType::kF64, {static_cast<std::int64_t>(sums.size())}));
  std::vector<float> mean(width), scale(width);
  for (std::size_t i = 0; i < width; ++i) {
    const double average = sums[i] / static_cast<double>(train.num_samples);
    const double variance = std::max(0.0, sums[width + i] / static_cast<double>(train.num_samples) - average * average);
    mean[i] = static_cast<float>(average);
    scale[i] = variance > 1e-12 ? static_cast<float>(1 / std::sqrt(variance)) : 0.0F;
  }
  for (Features* features : {&train, &test}) {
    for (std::size_t i = 0; i < features->values.size(); ++i)
      features->values[i] = (features->values[i] - mean[i % width]) * scale[i % width];
  }
}

}  // namespace barlow::evaluate
