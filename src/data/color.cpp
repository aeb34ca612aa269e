// SPDX-License-Identifier: Apache-2.0
// Compiled without contraction of a*b + c: a fused multiply-add rounds once where PIL rounds twice.
#include "barlow/pixels/color.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "barlow/base/multiversion.hpp"
#include "pixel_filters.hpp"

namespace barlow::data {
namespace {

using namespace pixels;
using Byte = std::uint8_t;

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
  for (std::size_t i = 0; i < count; ++i) pixels[i] = invert_if_bright(pixels[i]);
}

constexpr std::size_t kHueBlock = 256;

// In four loops with a block's numbers between them: one loop would hold more than a processor's registers.
BARLOW_MULTIVERSION void rotate_hue(Byte* __restrict r, Byte* __restrict g, Byte* __restrict b, std::size_t count,
                                    std::int32_t shift) {
  alignas(64) std::array<float, kHueBlock> sixths;
  alignas(64) std::array<std::int32_t, kHueBlock> hue, saturation, value;
  for (std::size_t first = 0; first < count; first += kHueBlock) {
    const std::size_t n = std::min(kHueBlock, count - first);
    for (std::size_t i = 0; i < n; ++i) {
      const Hsv hsv = to_hsv(r[first + i], g[first + i], b[first + i]);
      sixths[i] = hsv.sixths;
      saturation[i] = hsv.saturation;
      value[i] = hsv.value;
    }
    for (std::size_t i = 0; i < n; ++i) hue[i] = to_hue(sixths[i]);
    for (std::size_t i = 0; i < n; ++i) hue[i] = (hue[i] + shift) & 255;
    for (std::size_t i = 0; i < n; ++i) {
      const Rgb colour = to_rgb(hue[i], saturation[i], value[i]);
      r[first + i] = colour.r;
      g[first + i] = colour.g;
      b[first + i] = colour.b;
    }
  }
}

}  // namespace

void adjust_brightness(const Planes& planes, float factor) {
  blend_towards(planes.pixels, 3 * planes.size(), 0, factor);
}

void adjust_contrast(const Planes& planes, float factor) {
  const std::uint64_t sum = sum_of_luma(planes.channel(0), planes.channel(1), planes.channel(2), planes.size());
  blend_towards(planes.pixels, 3 * planes.size(), mean_luma(sum, planes.size()), factor);
}

void adjust_saturation(const Planes& planes, float factor) {
  saturate(planes.channel(0), planes.channel(1), planes.channel(2), planes.size(), factor);
}

void adjust_hue(const Planes& planes, double turns) {
  rotate_hue(planes.channel(0), planes.channel(1), planes.channel(2), planes.size(), hue_shift(turns));
}

void to_grey(const Planes& planes) {
  replace_by_luma(planes.channel(0), planes.channel(1), planes.channel(2), planes.size());
}

void solarize(const Planes& planes) { invert_bright(planes.pixels, 3 * planes.size()); }

}  // namespace barlow::data
