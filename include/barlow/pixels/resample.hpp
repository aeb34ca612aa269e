// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

/// The arithmetic of PIL on 8-bit pixels, one value at a time, for processors and GPUs alike: everything is constexpr,
/// which nvcc compiles for both. Whoever uses it compiles without contraction of a*b + c, so that all round alike.
namespace barlow::pixels {

enum class Filter : std::uint8_t { kBilinear, kBicubic };

/// Bits behind the point of a resize's weights: 32 minus 8 of a pixel minus 2 of head room.
inline constexpr int kWeightBits = 22;
/// What a sum of weighted pixels begins with: a half, for rounding.
inline constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

[[gnu::always_inline]] constexpr std::uint8_t clip(std::int32_t sum) {
  const std::int32_t value = sum >> kWeightBits;
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

/// The filter's height at x, in units of its step.
constexpr double height_of(Filter filter, double x) {
  x = x < 0 ? -x : x;
  if (filter == Filter::kBilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/// One axis of a resize with antialias: which inputs make an output, and with which weights.
struct Axis {
  /// The inputs [first, last) of an output, around its center.
  struct Taps {
    double center;
    int first, last;
  };

  int in_size;
  Filter filter;
  double scale, filter_scale, support;

  static constexpr Axis make(int in_size, int out_size, Filter filter) {
    const double scale = static_cast<double>(in_size) / out_size;
    const double filter_scale = scale < 1.0 ? 1.0 : scale;
    return {in_size, filter, scale, filter_scale, (filter == Filter::kBicubic ? 2.0 : 1.0) * filter_scale};
  }
  /// At most so many inputs make an output.
  constexpr int max_taps() const {
    const int whole = static_cast<int>(support);
    return (static_cast<double>(whole) < support ? whole + 1 : whole) * 2 + 1;
  }
  constexpr Taps taps_of(int out) const {
    const double center = (out + 0.5) * scale;
    const int first = static_cast<int>(center - support + 0.5), last = static_cast<int>(center + support + 0.5);
    return {center, first < 0 ? 0 : first, last > in_size ? in_size : last};
  }
  constexpr double weight(const Taps& taps, int in) const {
    return height_of(filter, (in - taps.center + 0.5) * (1 / filter_scale));
  }
  /// The sum of all weights of an output, in the order of its inputs.
  constexpr double sum_of_weights(const Taps& taps) const {
    double sum = 0;
    for (int in = taps.first; in < taps.last; ++in) sum += weight(taps, in);
    return sum;
  }
};

/// A weight as a share of their sum, in fixed point, rounded half away from zero.
constexpr std::int32_t to_fixed_point(double weight, double sum) {
  const double scaled = (sum != 0 ? weight / sum : weight) * (1 << kWeightBits);
  return static_cast<std::int32_t>(scaled < 0 ? -0.5 + scaled : 0.5 + scaled);
}

/// An image resized so that its shorter side is `shorter`, and a square of `side` from its middle.
struct CenterCrop {
  int width, height, left, top;

  static constexpr CenterCrop make(int image_width, int image_height, int shorter, int side) {
    CenterCrop crop{shorter, shorter, 0, 0};
    if (image_width <= image_height) {
      crop.height = std::max(side, static_cast<int>(static_cast<double>(shorter) * image_height / image_width));
    } else {
      crop.width = std::max(side, static_cast<int>(static_cast<double>(shorter) * image_width / image_height));
    }
    crop.left = half_to_even(crop.width - side);
    crop.top = half_to_even(crop.height - side);
    return crop;
  }

 private:
  /// n / 2, a half rounded to the even neighbour, as Python does.
  static constexpr int half_to_even(int n) { return n / 2 + (n % 4 == 3 ? 1 : 0); }
};

}  // namespace barlow::pixels
