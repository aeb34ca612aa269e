// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "barlow/pixels/blur.hpp"
#include "barlow/pixels/color.hpp"

namespace barlow::pixels {

/// One step of a colour jitter.
struct ColorStep {
  enum class Kind : std::uint8_t { kBrightness, kContrast, kSaturation, kHue };
  Kind kind;
  std::uint8_t shift;  ///< of the hue
  float factor;        ///< of the others

  /// @param mean  mean_luma() of all pixels as the steps before have left them; only contrast needs it
  constexpr Rgb apply(Rgb from, std::int32_t mean) const {
    if (kind == Kind::kHue) {
      const Hsv hsv = to_hsv(from.r, from.g, from.b);
      return to_rgb((to_hue(hsv.sixths) + shift) & 255, hsv.saturation, hsv.value);
    }
    const std::int32_t towards = kind == Kind::kBrightness ? 0
                                 : kind == Kind::kContrast ? mean
                                                           : luma(from.r, from.g, from.b);
    return {blend(towards, from.r, factor), blend(towards, from.g, factor), blend(towards, from.b, factor)};
  }
};

/// How one view is made from pixels that lie in device memory: every number drawn, every place computed. Plain old data
/// for kernels.
struct ViewPlan {
  /// Resizes by more are left to the host: kernels have room for so many taps.
  static constexpr std::int32_t kMaxScale = 8;
  static constexpr std::int32_t kMaxViewSize = 4096;

  std::int64_t first_byte;               ///< of the box, u8 [box_height,box_width,3], among all pixels
  std::int32_t row_bytes;                ///< from one row of the box to the next
  std::int32_t box_width, box_height;    ///< what is resized, bicubic; pixels around it do not contribute
  std::int32_t full_width, full_height;  ///< to this
  std::int32_t left, top;                ///< where in that the view begins
  std::int32_t num_steps;                ///< of the jitter
  std::array<ColorStep, 4> steps;        ///< in their order
  BlurBox blur;                          ///< weight 0: none
  bool flip, grey, solarize;

  constexpr bool blurs() const { return blur.weight != 0; }
  /// The place of contrast among the steps; num_steps without it.
  constexpr int contrast_step() const {
    for (int i = 0; i < num_steps; ++i) {
      if (steps[static_cast<std::size_t>(i)].kind == ColorStep::Kind::kContrast) return i;
    }
    return num_steps;
  }
  constexpr bool has_contrast() const { return contrast_step() < num_steps; }

  /// Steps [first, last) of the jitter.
  constexpr Rgb jitter(Rgb pixel, int first, int last, std::int32_t mean) const {
    for (int i = first; i < last; ++i) pixel = steps[static_cast<std::size_t>(i)].apply(pixel, mean);
    return pixel;
  }
  /// What follows the jitter; solarisation waits for the blur, if there is one.
  constexpr Rgb finish(Rgb pixel) const {
    if (grey) {
      const auto level = static_cast<std::uint8_t>(luma(pixel.r, pixel.g, pixel.b));
      pixel = {level, level, level};
    }
    if (solarize && !blurs()) {
      pixel = {invert_if_bright(pixel.r), invert_if_bright(pixel.g), invert_if_bright(pixel.b)};
    }
    return pixel;
  }

  /// True if kernels can make it from `num_bytes` of pixels without reading outside of them.
  constexpr bool is_possible(std::int64_t num_bytes, std::int32_t view_size) const {
    return view_size >= 1 && view_size <= kMaxViewSize && box_width >= 1 && box_height >= 1 &&
           box_width <= std::int64_t{kMaxScale} * full_width && box_height <= std::int64_t{kMaxScale} * full_height &&
           left >= 0 && top >= 0 && left <= full_width - view_size && top <= full_height - view_size &&
           first_byte >= 0 && row_bytes >= std::int64_t{3} * box_width &&
           first_byte <= num_bytes - (std::int64_t{row_bytes} * (box_height - 1) + std::int64_t{3} * box_width) &&
           num_steps >= 0 && num_steps <= 4 && blur.radius >= 0;
  }
};

static_assert(std::is_trivially_copyable_v<ViewPlan>);

}  // namespace barlow::pixels
