// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "multiversion.hpp"
#include "pixel_filters.hpp"

namespace barlow::data {
namespace {

/// ITU-R 601 luma in 16-bit fixed point.
std::uint8_t luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16);
}

/// from + factor (to - from), truncated.
std::uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<std::uint8_t>(value <= 0 ? 0.0F : value >= 255 ? 255.0F : value);
}

std::array<std::uint8_t, 256> blend_table(int from, float factor) {
  std::array<std::uint8_t, 256> table{};
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = blend(from, i, factor);
  return table;
}

void map_pixels(std::span<std::uint8_t> pixels, const std::array<std::uint8_t, 256>& table) {
  for (std::uint8_t& value : pixels) value = table[value];
}

BARLOW_MULTIVERSION std::uint64_t sum_of_luma(const std::uint8_t* rgb, std::size_t pixels) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < pixels; ++i) sum += luma(rgb + 3 * i);
  return sum;
}

BARLOW_MULTIVERSION void saturate(std::uint8_t* rgb, std::size_t pixels, float factor) {
  for (std::size_t i = 0; i < pixels; ++i) {
    std::uint8_t* pixel = rgb + 3 * i;
    const int grey = luma(pixel);
    for (int c = 0; c < 3; ++c) pixel[c] = blend(grey, pixel[c], factor);
  }
}

struct Hsv {
  std::uint8_t h, s, v;
};

// Mixed float and double as in PIL, whose rounding it is to reproduce.
Hsv to_hsv(const std::uint8_t* rgb) {
  const int r = rgb[0], g = rgb[1], b = rgb[2];
  const int high = std::max({r, g, b}), low = std::min({r, g, b});
  if (high == low) return {0, 0, static_cast<std::uint8_t>(high)};
  const auto range = static_cast<float>(high - low);
  const float s = range / static_cast<float>(high);
  const float rc = static_cast<float>(high - r) / range;
  const float gc = static_cast<float>(high - g) / range;
  const float bc = static_cast<float>(high - b) / range;
  float h = 0;
  if (r == high) {
    h = bc - gc;
  } else if (g == high) {
    h = static_cast<float>(2.0 + static_cast<double>(rc) - static_cast<double>(bc));
  } else {
    h = static_cast<float>(4.0 + static_cast<double>(gc) - static_cast<double>(rc));
  }
  h = static_cast<float>(std::fmod(static_cast<double>(h) / 6.0 + 1.0, 1.0));
  const auto to_byte = [](float x) {
    return static_cast<std::uint8_t>(std::clamp(static_cast<int>(static_cast<double>(x) * 255.0), 0, 255));
  };
  return {to_byte(h), to_byte(s), static_cast<std::uint8_t>(high)};
}

void to_rgb(Hsv in, std::uint8_t* rgb) {
  if (in.s == 0) {
    rgb[0] = rgb[1] = rgb[2] = in.v;
    return;
  }
  const double scaled = static_cast<double>(static_cast<float>(in.h)) * 6.0 / 255.0;
  const int sector = static_cast<int>(std::floor(scaled));
  const auto f = static_cast<double>(static_cast<float>(scaled - static_cast<double>(static_cast<float>(sector))));
  const auto s = static_cast<double>(static_cast<float>(static_cast<double>(static_cast<float>(in.s)) / 255.0));
  const double value = in.v;
  const auto to_byte = [](double x) {
    return static_cast<std::uint8_t>(std::clamp(static_cast<int>(std::round(x)), 0, 255));
  };
  const std::uint8_t v = in.v, p = to_byte(value * (1.0 - s)), q = to_byte(value * (1.0 - s * f)),
                     t = to_byte(value * (1.0 - s * (1.0 - f)));
  const std::array<std::array<std::uint8_t, 3>, 6> sectors = {
      {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}};
  std::copy_n(sectors[static_cast<std::size_t>(sector % 6)].begin(), 3, rgb);
}

}  // namespace

void flip_rows(std::span<std::uint8_t> pixels, int width) {
  const auto row_bytes = static_cast<std::size_t>(width) * 3;
  for (std::size_t row = 0; row < pixels.size(); row += row_bytes) {
    std::uint8_t* left = pixels.data() + row;
    std::uint8_t* right = left + row_bytes - 3;
    for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
}

void adjust_brightness(std::span<std::uint8_t> pixels, float factor) { map_pixels(pixels, blend_table(0, factor)); }

void adjust_contrast(std::span<std::uint8_t> pixels, float factor) {
  const std::size_t count = pixels.size() / 3;
  const double mean = static_cast<double>(sum_of_luma(pixels.data(), count)) / static_cast<double>(count);
  map_pixels(pixels, blend_table(static_cast<int>(mean + 0.5), factor));
}

void adjust_saturation(std::span<std::uint8_t> pixels, float factor) {
  saturate(pixels.data(), pixels.size() / 3, factor);
}

void adjust_hue(std::span<std::uint8_t> pixels, double turns) {
  const auto shift = static_cast<std::uint8_t>(static_cast<int>(turns * 255));
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    Hsv hsv = to_hsv(pixels.data() + i);
    hsv.h = static_cast<std::uint8_t>(hsv.h + shift);
    to_rgb(hsv, pixels.data() + i);
  }
}

void to_grey(std::span<std::uint8_t> pixels) {
  for (std::size_t i = 0; i < pixels.size(); i += 3)
    std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(i), 3, luma(pixels.data() + i));
}

void solarize(std::span<std::uint8_t> pixels) {
  for (std::uint8_t& value : pixels) value = value < 128 ? value : static_cast<std::uint8_t>(255 - value);
}

}  // namespace barlow::data
