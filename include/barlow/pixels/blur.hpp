// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

namespace barlow::pixels {

/// A Gaussian blur is this many box blurs in each direction (Gwosdek et al. 2011, as PIL has it).
inline constexpr int kBlurPasses = 3;

/// A box of 2 radius + 1 whole pixels and a fraction of one at each end, in 24-bit fixed point.
struct BlurBox {
  std::int32_t radius;
  std::uint32_t weight, end_weight;

  /// From the sum of the whole pixels and the sum of the two ends.
  [[gnu::always_inline]] constexpr std::uint8_t average(std::uint32_t sum, std::uint32_t ends) const {
    return static_cast<std::uint8_t>((sum * weight + ends * end_weight + (1U << 23)) >> 24);
  }
};

/// The box of which three have the variance of the Gaussian: equations 7, 11 and 14 of Gwosdek et al. 2011, in PIL's
/// single precision. On the host only.
inline BlurBox make_blur_box(float sigma) {
  const float variance = sigma * sigma / static_cast<float>(kBlurPasses);
  const auto length = static_cast<float>(std::sqrt(12.0 * static_cast<double>(variance) + 1.0));
  const auto whole = static_cast<float>(std::floor((static_cast<double>(length) - 1.0) / 2.0));
  float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  fraction /= 6 * (variance - (whole + 1) * (whole + 1));
  const float radius = whole + fraction;
  BlurBox box{};
  box.radius = static_cast<std::int32_t>(radius);
  box.weight = static_cast<std::uint32_t>(static_cast<float>(1 << 24) / (radius * 2 + 1));
  box.end_weight = ((1U << 24) - static_cast<std::uint32_t>(box.radius * 2 + 1) * box.weight) / 2;
  return box;
}

}  // namespace barlow::pixels
