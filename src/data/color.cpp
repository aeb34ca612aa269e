// SPDX-License-Identifier: Apache-2.0
// Compiled without contraction of a*b + c: a fused multiply-add rounds once where PIL rounds twice.
#include <algorithm>
#include <array>
#include <cstdint>

#include "multiversion.hpp"
#include "pixel_filters.hpp"

namespace barlow::data {
namespace {

using Byte = std::uint8_t;

// By value: the compiler does not see through std::max's references in a clone for a newer processor, and would leave
// the loop around it scalar.
template <class T>
[[gnu::always_inline]] inline T larger_of(T a, T b) {
  return a < b ? b : a;
}
template <class T>
[[gnu::always_inline]] inline T smaller_of(T a, T b) {
  return b < a ? b : a;
}

/// ITU-R 601 luma in 16-bit fixed point.
[[gnu::always_inline]] inline std::int32_t luma(std::int32_t r, std::int32_t g, std::int32_t b) {
  return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
}

/// from + factor (to - from), truncated.
[[gnu::always_inline]] inline Byte blend(std::int32_t from, std::int32_t to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<Byte>(static_cast<std::int32_t>(smaller_of(larger_of(value, 0.0F), 255.0F)));
}

BARLOW_MULTIVERSION void blend_towards(Byte* pixels, std::size_t count, std::int32_t from, float factor) {
  for (std::size_t i = 0; i < count; ++i) pixels[i] = blend(from, pixels[i], factor);
}

BARLOW_MULTIVERSION std::uint64_t sum_of_luma(const Byte* r, const Byte* g, const Byte* b, std::size_t count) {
  constexpr std::size_t kBlock = 1 << 16;  // sums of which fit 32 bits
  std::uint64_t total = 0;
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t last = std::min(first + kBlock, count);
    std::uint32_t sum = 0;
    for (std::size_t i = first; i < last; ++i) sum += static_cast<std::uint32_t>(luma(r[i], g[i], b[i]));
    total += sum;
  }
  return total;
}

BARLOW_MULTIVERSION void saturate(Byte* __restrict r, Byte* __restrict g, Byte* __restrict b, std::size_t count,
                                  float factor) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t grey = luma(r[i], g[i], b[i]);
    r[i] = blend(grey, r[i], factor);
    g[i] = blend(grey, g[i], factor);
    b[i] = blend(grey, b[i], factor);
  }
}

BARLOW_MULTIVERSION void replace_by_luma(Byte* __restrict r, Byte* __restrict g, Byte* __restrict b,
                                         std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) r[i] = g[i] = b[i] = static_cast<Byte>(luma(r[i], g[i], b[i]));
}

BARLOW_MULTIVERSION void invert_bright(Byte* pixels, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) pixels[i] = pixels[i] < 128 ? pixels[i] : static_cast<Byte>(255 - pixels[i]);
}

constexpr std::size_t kHueBlock = 256;

/// Sixths of a turn (-1..5), saturation and value of a block. PIL's h = base +- x in single precision, where x is how
/// far the middle channel is from the highest, as a share of the range; its other terms are 0 or 1 exactly.
[[gnu::always_inline]] inline void to_hsv(const Byte* r, const Byte* g, const Byte* b, std::size_t count, float* sixths,
                                          std::int32_t* saturation, std::int32_t* value) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t red = r[i], green = g[i], blue = b[i];
    const std::int32_t high = larger_of(larger_of(red, green), blue), low = smaller_of(smaller_of(red, green), blue);
    const std::int32_t middle = red + green + blue - high - low;
    const auto range = static_cast<float>(larger_of(high - low, 1));  // of grey pixels s is 0, whatever h
    const float x = static_cast<float>(high - middle) / range;
    const float if_red = green >= blue ? 1 - x : x - 1;
    const float if_green = blue >= red ? 3 - x : 1 + x;
    const float if_blue = green >= red ? 3 + x : 5 - x;
    const float if_not_red = green == high ? if_green : if_blue;
    sixths[i] = red == high ? if_red : if_not_red;
    saturation[i] =
        static_cast<std::int32_t>(static_cast<float>(high - low) / static_cast<float>(larger_of(high, 1)) * 255.0F);
    value[i] = high;
  }
}

/// 8-bit hue. In double, with a rounding to single before the last product, as PIL: at whole results its error decides.
[[gnu::always_inline]] inline void to_hue(const float* sixths, std::size_t count, std::int32_t* hue) {
  for (std::size_t i = 0; i < count; ++i) {
    const double turns = static_cast<double>(sixths[i]) / 6.0 + 1.0;
    const auto fraction = static_cast<float>(turns >= 1.0 ? turns - 1.0 : turns);
    hue[i] = static_cast<std::int32_t>(static_cast<double>(fraction) * 255.0);
  }
}

/// The colour of 8-bit hue, saturation and value. PIL rounds v (1 - s f) computed in double; here the quotients are
/// rounded in integers, which is the same for every input: none is halfway, and the nearest to it is farther than
/// PIL's rounding errors.
[[gnu::always_inline]] inline void to_rgb(const std::int32_t* hue, const std::int32_t* saturation,
                                          const std::int32_t* value, std::size_t count, Byte* r, Byte* g, Byte* b) {
  constexpr std::int32_t kUnit = 255 * 255;
  constexpr float kBelowReciprocal = 0.99999F / static_cast<float>(kUnit);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t s = saturation[i], v = value[i];
    const std::int32_t whole = (hue[i] * 6 * 257 + 257) >> 16, sector = whole == 6 ? 0 : whole;
    const std::int32_t part = hue[i] * 6 - whole * 255;
    const std::int32_t distance = (sector & 1) != 0 ? part : 255 - part;
    const std::int32_t product = v * (kUnit - s * distance) + kUnit / 2;
    const auto quotient = static_cast<std::int32_t>(static_cast<float>(product) * kBelowReciprocal);  // or one less
    const std::int32_t m = quotient + (product - quotient * kUnit >= kUnit ? 1 : 0);
    const std::int32_t p = ((v * (255 - s) + 128) * 257) >> 16;
    r[i] = static_cast<Byte>(sector == 0 || sector == 5 ? v : (sector == 2 || sector == 3 ? p : m));
    g[i] = static_cast<Byte>(sector == 1 || sector == 2 ? v : (sector == 4 || sector == 5 ? p : m));
    b[i] = static_cast<Byte>(sector == 3 || sector == 4 ? v : (sector == 0 || sector == 1 ? p : m));
  }
}

BARLOW_MULTIVERSION void rotate_hue(Byte* __restrict r, Byte* __restrict g, Byte* __restrict b, std::size_t count,
                                    std::int32_t shift) {
  alignas(64) std::array<float, kHueBlock> sixths;
  alignas(64) std::array<std::int32_t, kHueBlock> hue, saturation, value;
  for (std::size_t first = 0; first < count; first += kHueBlock) {
    const std::size_t n = std::min(kHueBlock, count - first);
    to_hsv(r + first, g + first, b + first, n, sixths.data(), saturation.data(), value.data());
    to_hue(sixths.data(), n, hue.data());
    for (std::size_t i = 0; i < n; ++i) hue[i] = (hue[i] + shift) & 255;
    to_rgb(hue.data(), saturation.data(), value.data(), n, r + first, g + first, b + first);
  }
}

}  // namespace

void adjust_brightness(const Planes& planes, float factor) {
  blend_towards(planes.pixels, 3 * planes.size(), 0, factor);
}

void adjust_contrast(const Planes& planes, float factor) {
  const double sum =
      static_cast<double>(sum_of_luma(planes.channel(0), planes.channel(1), planes.channel(2), planes.size()));
  const auto mean = static_cast<std::int32_t>(sum / static_cast<double>(planes.size()) + 0.5);
  blend_towards(planes.pixels, 3 * planes.size(), mean, factor);
}

void adjust_saturation(const Planes& planes, float factor) {
  saturate(planes.channel(0), planes.channel(1), planes.channel(2), planes.size(), factor);
}

void adjust_hue(const Planes& planes, double turns) {
  const auto shift = static_cast<Byte>(static_cast<int>(turns * 255));
  rotate_hue(planes.channel(0), planes.channel(1), planes.channel(2), planes.size(), shift);
}

void to_grey(const Planes& planes) {
  replace_by_luma(planes.channel(0), planes.channel(1), planes.channel(2), planes.size());
}

void solarize(const Planes& planes) { invert_bright(planes.pixels, 3 * planes.size()); }

}  // namespace barlow::data
