// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Colour steps of one pixel, as PIL computes them (pixels/resample.hpp says how they are to be compiled).
namespace barlow::pixels {

struct Rgb {
  std::uint8_t r, g, b;
  bool operator==(const Rgb&) const = default;
};

// By value: the compiler does not see through std::max's references in a clone for a newer processor, and would leave
// the loop around it scalar.
template <class T>
[[gnu::always_inline]] constexpr T larger_of(T a, T b) {
  return a < b ? b : a;
}
template <class T>
[[gnu::always_inline]] constexpr T smaller_of(T a, T b) {
  return b < a ? b : a;
}

/// ITU-R 601 luma in 16-bit fixed point.
[[gnu::always_inline]] constexpr std::int32_t luma(std::int32_t r, std::int32_t g, std::int32_t b) {
  return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
}

/// The grey that contrast goes towards, from the sum of all pixels' luma.
constexpr std::int32_t mean_luma(std::uint64_t sum, std::uint64_t count) {
  return static_cast<std::int32_t>(static_cast<double>(sum) / static_cast<double>(count) + 0.5);
}

/// from + factor (to - from), truncated.
[[gnu::always_inline]] constexpr std::uint8_t blend(std::int32_t from, std::int32_t to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(smaller_of(larger_of(value, 0.0F), 255.0F)));
}

[[gnu::always_inline]] constexpr std::uint8_t invert_if_bright(std::uint8_t value) {
  return value < 128 ? value : static_cast<std::uint8_t>(255 - value);
}

/// A rotation of the hue in 8-bit steps.
constexpr std::uint8_t hue_shift(double turns) { return static_cast<std::uint8_t>(static_cast<int>(turns * 255)); }

/// Sixths of a turn (-1..5), saturation and value.
struct Hsv {
  float sixths;
  std::int32_t saturation, value;
};

/// PIL's h = base +- x in single precision, where x is how far the middle channel is from the highest, as a share of
/// the range; its other terms are 0 or 1 exactly.
[[gnu::always_inline]] constexpr Hsv to_hsv(std::int32_t red, std::int32_t green, std::int32_t blue) {
  const std::int32_t high = larger_of(larger_of(red, green), blue), low = smaller_of(smaller_of(red, green), blue);
  const std::int32_t middle = red + green + blue - high - low;
  const auto range = static_cast<float>(larger_of(high - low, 1));  // of grey pixels s is 0, whatever h
  const float x = static_cast<float>(high - middle) / range;
  const float if_red = green >= blue ? 1 - x : x - 1;
  const float if_green = blue >= red ? 3 - x : 1 + x;
  const float if_blue = green >= red ? 3 + x : 5 - x;
  const float if_not_red = green == high ? if_green : if_blue;
  return {red == high ? if_red : if_not_red,
          static_cast<std::int32_t>(static_cast<float>(high - low) / static_cast<float>(larger_of(high, 1)) * 255.0F),
          high};
}

/// 8-bit hue. In double, with a rounding to single before the last product, as PIL: at whole results its error decides.
[[gnu::always_inline]] constexpr std::int32_t to_hue(float sixths) {
  const double turns = static_cast<double>(sixths) / 6.0 + 1.0;
  const auto fraction = static_cast<float>(turns >= 1.0 ? turns - 1.0 : turns);
  return static_cast<std::int32_t>(static_cast<double>(fraction) * 255.0);
}

/// A channel of a colour: v in some sixths of the circle, p in others, m in the rest. Sixths are bits.
[[gnu::always_inline]] constexpr std::uint8_t channel_of(std::int32_t sixth, std::int32_t with_v, std::int32_t with_p,
                                                         std::int32_t v, std::int32_t p, std::int32_t m) {
  return static_cast<std::uint8_t>((sixth & with_v) != 0 ? v : (sixth & with_p) != 0 ? p : m);
}

/// The colour of 8-bit hue, saturation and value. PIL rounds v (1 - s f) computed in double; here the quotients are
/// rounded in integers, which is the same for every input: none is halfway, and the nearest to it is farther than
/// PIL's rounding errors.
[[gnu::always_inline]] constexpr Rgb to_rgb(std::int32_t hue, std::int32_t s, std::int32_t v) {
  constexpr std::int32_t kUnit = 255 * 255;
  constexpr float kBelowReciprocal = 0.99999F / static_cast<float>(kUnit);
  const std::int32_t whole = (hue * 6 * 257 + 257) >> 16, sector = whole == 6 ? 0 : whole;
  const std::int32_t part = hue * 6 - whole * 255;
  const std::int32_t distance = (sector & 1) != 0 ? part : 255 - part;
  const std::int32_t product = v * (kUnit - s * distance) + kUnit / 2;
  const auto quotient = static_cast<std::int32_t>(static_cast<float>(product) * kBelowReciprocal);  // or one less
  const std::int32_t m = quotient + (product - quotient * kUnit >= kUnit ? 1 : 0);
  const std::int32_t p = ((v * (255 - s) + 128) * 257) >> 16;
  const std::int32_t at = 1 << sector;  // comparisons joined by || would keep the loop around this scalar
  return {channel_of(at, 0b100001, 0b001100, v, p, m), channel_of(at, 0b000110, 0b110000, v, p, m),
          channel_of(at, 0b011000, 0b000011, v, p, m)};
}

}  // namespace barlow::pixels
