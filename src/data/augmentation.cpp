// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/augmentation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/base/random.hpp"
#include "pixel_filters.hpp"
#include "resample.hpp"

namespace barlow::data {
namespace {

constexpr double kMinRatio = 3.0 / 4, kMaxRatio = 4.0 / 3;

/// Ten tries, then the largest centred box whose ratio is allowed, as torchvision's RandomResizedCrop.
ViewRecipe::Box draw_box(RandomStream& random, const ViewOptions& options, int width, int height) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area =
        static_cast<double>(width) * height * random.next_uniform(options.crop_scale_min, options.crop_scale_max);
    const double ratio = std::exp(random.next_uniform(std::log(kMinRatio), std::log(kMaxRatio)));
    const auto w = static_cast<int>(std::lround(std::sqrt(area * ratio)));
    const auto h = static_cast<int>(std::lround(std::sqrt(area / ratio)));
    if (w <= 0 || w > width || h <= 0 || h > height) continue;
    const auto top = static_cast<int>(random.next_below(static_cast<std::uint64_t>(height - h + 1)));
    const auto left = static_cast<int>(random.next_below(static_cast<std::uint64_t>(width - w + 1)));
    return {left, top, w, h};
  }
  int w = width, h = height;
  const double ratio = static_cast<double>(width) / height;
  if (ratio < kMinRatio) h = std::clamp(static_cast<int>(std::lround(width / kMinRatio)), 1, height);
  if (ratio > kMaxRatio) w = std::clamp(static_cast<int>(std::lround(height * kMaxRatio)), 1, width);
  return {(width - w) / 2, (height - h) / 2, w, h};
}

/// The shorter side to `shorter`, then the centre.
Resize center_crop(const Image& image, int shorter, int crop, Filter filter) {
  const auto [width, height, left, top] = pixels::CenterCrop::make(image.width, image.height, shorter, crop);
  return {{0, 0, image.width, image.height}, width, height, {left, top, crop, crop}, filter};
}

/// A hue of 0 is no step, as in torchvision's ColorJitter: its way through 8-bit HSV and back would change colours.
void apply_jitter(const ViewRecipe& recipe, const Planes& planes) {
  for (const int step : recipe.jitter_order) {
    switch (step) {
      case 0:
        adjust_brightness(planes, recipe.brightness);
        break;
      case 1:
        adjust_contrast(planes, recipe.contrast);
        break;
      case 2:
        adjust_saturation(planes, recipe.saturation);
        break;
      default:
        if (recipe.hue != 0) adjust_hue(planes, recipe.hue);
        break;
    }
  }
}

}  // namespace

AugmentationOptions AugmentationOptions::reference(int image_size) {
  AugmentationOptions options;
  options.image_size = image_size;
  options.views[1].blur = 0.1;
  options.views[1].solarize = 0.2;
  return options;
}

// Every number is drawn whether it is used or not, so that switching one step off leaves the others as they were.
ViewRecipe draw_recipe(const AugmentationOptions& options, std::uint64_t seed, std::int64_t epoch, std::int64_t sample,
                       int view, int image_width, int image_height) {
  const ViewOptions& o = options.views[static_cast<std::size_t>(view)];
  const auto stream = [&](std::uint32_t purpose) {
    return RandomStream(seed, RandomStream::Purpose::kAugmentation,
                        static_cast<std::uint64_t>(epoch) << 40 ^ static_cast<std::uint64_t>(sample),
                        static_cast<std::uint32_t>(view) << 16 | purpose);
  };
  ViewRecipe recipe{};
  RandomStream box = stream(0);
  recipe.crop = o.crop;
  if (o.crop) recipe.box = draw_box(box, o, image_width, image_height);

  RandomStream random = stream(1);
  recipe.flip = random.next_bernoulli(o.flip);
  recipe.jitter = random.next_bernoulli(o.jitter);
  recipe.jitter_order = {0, 1, 2, 3};
  for (std::size_t i = 3; i > 0; --i) std::swap(recipe.jitter_order[i], recipe.jitter_order[random.next_below(i + 1)]);
  const auto factor = [&](double range) {
    return static_cast<float>(random.next_uniform(std::max(0.0, 1 - range), 1 + range));
  };
  recipe.brightness = factor(o.brightness);
  recipe.contrast = factor(o.contrast);
  recipe.saturation = factor(o.saturation);
  recipe.hue = random.next_uniform(-o.hue, o.hue);
  recipe.grey = random.next_bernoulli(o.grey);
  const bool blur = random.next_bernoulli(o.blur);
  const auto sigma = static_cast<float>(random.next_uniform(o.blur_sigma_min, o.blur_sigma_max));
  recipe.blur_sigma = blur ? sigma : 0.0F;
  recipe.solarize = random.next_bernoulli(o.solarize);
  return recipe;
}

void apply(const ViewRecipe& recipe, const Image& image, int view_size, AugmentationScratch& scratch,
           std::span<std::uint8_t> view) {
  const Resize random_crop{recipe.box, view_size, view_size, {0, 0, view_size, view_size}, Filter::kBicubic};
  resize(image, recipe.crop ? random_crop : center_crop(image, view_size, view_size, Filter::kBicubic), scratch, view);
  if (recipe.flip) flip_rows(view, view_size);
  if (!recipe.jitter && !recipe.grey && recipe.blur_sigma <= 0 && !recipe.solarize) return;
  scratch.planes.resize(view.size());
  const Planes planes{scratch.planes.data(), view_size, view_size};
  split(view, planes);
  if (recipe.jitter) apply_jitter(recipe, planes);
  if (recipe.grey) to_grey(planes);
  if (recipe.blur_sigma > 0) gaussian_blur(planes, recipe.blur_sigma, scratch);
  if (recipe.solarize) solarize(planes);
  merge(planes, view);
}

void resize_center_crop(const Image& image, int shorter, int crop, AugmentationScratch& scratch,
                        std::span<std::uint8_t> out) {
  resize(image, center_crop(image, shorter, crop, Filter::kBilinear), scratch, out);
}

}  // namespace barlow::data
