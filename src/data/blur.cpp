// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "multiversion.hpp"
#include "pixel_filters.hpp"

namespace barlow::data {
namespace {

constexpr int kPasses = 3;

/// A box of 2 radius + 1 whole pixels and a fraction of one at each end, in 24-bit fixed point.
struct Box {
  int radius;
  std::uint32_t weight, end_weight;
};

/// The box of which three have the variance of the Gaussian: equations 7, 11 and 14 of Gwosdek et al. 2011, in PIL's
/// single precision.
Box make_box(float sigma) {
  const float variance = sigma * sigma / static_cast<float>(kPasses);
  const auto length = static_cast<float>(std::sqrt(12.0 * static_cast<double>(variance) + 1.0));
  const auto whole = static_cast<float>(std::floor((static_cast<double>(length) - 1.0) / 2.0));
  float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  fraction /= 6 * (variance - (whole + 1) * (whole + 1));
  const float radius = whole + fraction;
  Box box{};
  box.radius = static_cast<int>(radius);
  box.weight = static_cast<std::uint32_t>(static_cast<float>(1 << 24) / (radius * 2 + 1));
  box.end_weight = ((1U << 24) - static_cast<std::uint32_t>(box.radius * 2 + 1) * box.weight) / 2;
  return box;
}

/// out[i] from in[i - (radius+1) stride] to in[i + (radius+1) stride], all of which exist.
BARLOW_MULTIVERSION void blur_run(const std::uint8_t* in, std::ptrdiff_t stride, Box box, std::uint8_t* out,
                                  std::size_t count) {
  const std::ptrdiff_t end = (box.radius + 1) * stride;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* center = in + i;
    std::uint32_t sum = 0;
    for (std::ptrdiff_t k = -box.radius; k <= box.radius; ++k) sum += center[k * stride];
    const std::uint32_t ends = static_cast<std::uint32_t>(center[-end]) + center[end];
    out[i] = static_cast<std::uint8_t>((sum * box.weight + ends * box.end_weight + (1U << 23)) >> 24);
  }
}

/// The radii that occur at sigma up to 2, with the taps unrolled.
template <int kRadius>
BARLOW_MULTIVERSION void blur_run_of_radius(const std::uint8_t* in, std::ptrdiff_t stride, std::uint32_t weight,
                                            std::uint32_t end_weight, std::uint8_t* out, std::size_t count) {
  const std::ptrdiff_t end = (kRadius + 1) * stride;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t sum = in[i];
    for (int k = 1; k <= kRadius; ++k)
      sum += static_cast<std::uint32_t>(in[static_cast<std::ptrdiff_t>(i) - k * stride]) +
             in[static_cast<std::ptrdiff_t>(i) + k * stride];
    const std::uint32_t ends =
        static_cast<std::uint32_t>(in[static_cast<std::ptrdiff_t>(i) - end]) + in[static_cast<std::ptrdiff_t>(i) + end];
    out[i] = static_cast<std::uint8_t>((sum * weight + ends * end_weight + (1U << 23)) >> 24);
  }
}

void blur(const std::uint8_t* in, std::ptrdiff_t stride, Box box, std::uint8_t* out, std::size_t count) {
  if (box.radius == 0) return blur_run_of_radius<0>(in, stride, box.weight, box.end_weight, out, count);
  if (box.radius == 1) return blur_run_of_radius<1>(in, stride, box.weight, box.end_weight, out, count);
  blur_run(in, stride, box, out, count);
}

}  // namespace

void gaussian_blur(std::span<std::uint8_t> pixels, int width, int height, float sigma, AugmentationScratch& scratch) {
  const Box box = make_box(sigma);
  const auto margin = static_cast<std::size_t>(box.radius + 1);
  const auto row_bytes = static_cast<std::size_t>(width) * 3;

  // Along rows: each row between copies of its end pixels.
  scratch.padded.resize(row_bytes + 2 * margin * 3);
  std::uint8_t* row_in = scratch.padded.data() + margin * 3;
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
    std::uint8_t* row = pixels.data() + y * row_bytes;
    for (int pass = 0; pass < kPasses; ++pass) {
      std::copy(row, row + row_bytes, row_in);
      for (std::size_t k = 0; k < margin; ++k) {
        std::copy_n(row, 3, scratch.padded.data() + 3 * k);
        std::copy_n(row + row_bytes - 3, 3, row_in + row_bytes + 3 * k);
      }
      blur(row_in, 3, box, row, row_bytes);
    }
  }

  // Along columns: the image between copies of its end rows, a whole row at a time.
  scratch.padded.resize(row_bytes * (static_cast<std::size_t>(height) + 2 * margin));
  for (int pass = 0; pass < kPasses; ++pass) {
    std::uint8_t* first = scratch.padded.data() + margin * row_bytes;
    std::copy(pixels.begin(), pixels.end(), first);
    for (std::size_t k = 0; k < margin; ++k) {
      std::copy_n(pixels.data(), row_bytes, scratch.padded.data() + k * row_bytes);
      std::copy_n(pixels.data() + pixels.size() - row_bytes, row_bytes, first + pixels.size() + k * row_bytes);
    }
    blur(first, static_cast<std::ptrdiff_t>(row_bytes), box, pixels.data(), pixels.size());
  }
}

}  // namespace barlow::data
