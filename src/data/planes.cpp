// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "barlow/base/multiversion.hpp"
#include "pixel_filters.hpp"

namespace barlow::data {
namespace {

BARLOW_MULTIVERSION void split_pixels(const std::uint8_t* __restrict rgb, std::uint8_t* __restrict red,
                                      std::uint8_t* __restrict green, std::uint8_t* __restrict blue,
                                      std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    red[i] = rgb[3 * i];
    green[i] = rgb[3 * i + 1];
    blue[i] = rgb[3 * i + 2];
  }
}

BARLOW_MULTIVERSION void merge_pixels(const std::uint8_t* __restrict red, const std::uint8_t* __restrict green,
                                      const std::uint8_t* __restrict blue, std::uint8_t* __restrict rgb,
                                      std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    rgb[3 * i] = red[i];
    rgb[3 * i + 1] = green[i];
    rgb[3 * i + 2] = blue[i];
  }
}

}  // namespace

void split(std::span<const std::uint8_t> rgb, const Planes& planes) {
  split_pixels(rgb.data(), planes.channel(0), planes.channel(1), planes.channel(2), planes.size());
}

void merge(const Planes& planes, std::span<std::uint8_t> rgb) {
  merge_pixels(planes.channel(0), planes.channel(1), planes.channel(2), rgb.data(), planes.size());
}

void flip_rows(std::span<std::uint8_t> rgb, int width) {
  const auto row_bytes = static_cast<std::size_t>(width) * 3;
  for (std::size_t row = 0; row < rgb.size(); row += row_bytes) {
    std::uint8_t* left = rgb.data() + row;
    std::uint8_t* right = left + row_bytes - 3;
    for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
}

}  // namespace barlow::data
