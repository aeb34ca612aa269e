// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "barlow/data/image.hpp"

namespace barlow::data {

/// How one view is made: every step with its probability, in the order in which they are applied.
struct ViewOptions {
  bool crop = true;  ///< random resized crop; else the shorter side to the view's size, and the centre
  double crop_scale_min = 0.08, crop_scale_max = 1;
  double flip = 0.5;
  double jitter = 0.8, brightness = 0.4, contrast = 0.4, saturation = 0.2, hue = 0.1;
  double grey = 0.2;
  double blur = 1, blur_sigma_min = 0.1, blur_sigma_max = 2;
  double solarize = 0;
};

struct AugmentationOptions {
  int image_size = 224;
  std::array<ViewOptions, 2> views;

  /// The original's: blur 1.0 and 0.1, solarisation 0 and 0.2.
  static AugmentationOptions reference(int image_size);
};

/// One view's numbers, all drawn.
struct ViewRecipe {
  struct Box {
    int left, top, width, height;
  };
  bool crop;
  Box box;  ///< of the image, when crop
  bool flip;
  bool jitter;
  std::array<int, 4> jitter_order;  ///< of 0 brightness, 1 contrast, 2 saturation, 3 hue
  float brightness, contrast, saturation;
  double hue;  ///< in turns
  bool grey;
  float blur_sigma;  ///< 0: none
  bool solarize;
};

/// Pure: the same for any rank, thread or order of calls.
/// @param view  0 or 1
ViewRecipe draw_recipe(const AugmentationOptions& options, std::uint64_t seed, std::int64_t epoch, std::int64_t sample,
                       int view, int image_width, int image_height);

/// Memory that apply() uses again and again; one per thread.
struct AugmentationScratch {
  std::vector<std::uint8_t> row, rows, columns, planes, framed;
  std::vector<std::int32_t> weights;
};

/// Makes the view, u8 [S,S,3], with the arithmetic of PIL on 8-bit images, rounding after every step as it does.
void apply(const ViewRecipe& recipe, const Image& image, int view_size, AugmentationScratch& scratch,
           std::span<std::uint8_t> view);

/// For evaluation: the shorter side to `shorter` (bilinear with antialias, as torchvision on PIL images), then the
/// centre. u8 [crop,crop,3].
void resize_center_crop(const Image& image, int shorter, int crop, AugmentationScratch& scratch,
                        std::span<std::uint8_t> out);

}  // namespace barlow::data
