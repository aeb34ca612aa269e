// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

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
BARLOW_MULTIVERSION void blur_run(const std::uint8_t* __restrict in, std::ptrdiff_t stride, Box box,
                                  std::uint8_t* __restrict out, std::size_t count) {
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
BARLOW_MULTIVERSION void blur_run_of_radius(const std::uint8_t* __restrict in, std::ptrdiff_t stride, Box box,
                                            std::uint8_t* __restrict out, std::size_t count) {
  const std::uint8_t *before = in - stride, *after = in + stride;
  const std::uint8_t *first = in - (kRadius + 1) * stride, *last = in + (kRadius + 1) * stride;
  for (std::size_t i = 0; i < count; ++i) {
    const auto sum = static_cast<std::uint16_t>(kRadius == 0 ? in[i] : before[i] + in[i] + after[i]);
    const auto ends = static_cast<std::uint16_t>(first[i] + last[i]);
    out[i] = static_cast<std::uint8_t>((sum * box.weight + ends * box.end_weight + (1U << 23)) >> 24);
  }
}

void blur(const std::uint8_t* in, std::ptrdiff_t stride, Box box, std::uint8_t* out, std::size_t count) {
  if (box.radius == 0) return blur_run_of_radius<0>(in, stride, box, out, count);
  if (box.radius == 1) return blur_run_of_radius<1>(in, stride, box, out, count);
  blur_run(in, stride, box, out, count);
}

/// A plane with a margin all around, in which its end pixels are repeated.
struct Framed {
  std::uint8_t* memory;
  std::size_t width, height, margin;

  std::size_t stride() const { return width + 2 * margin; }
  std::size_t size() const { return stride() * (height + 2 * margin); }
  std::uint8_t* row(std::size_t y) const { return memory + (margin + y) * stride() + margin; }

  void repeat_columns() const {
    for (std::size_t y = 0; y < height; ++y) {
      std::uint8_t* pixels = row(y);
      for (std::size_t k = 1; k <= margin; ++k) {
        *(pixels - k) = pixels[0];
        pixels[width - 1 + k] = pixels[width - 1];
      }
    }
  }
  void repeat_rows() const {
    for (std::size_t k = 1; k <= margin; ++k) {
      std::copy_n(row(0), width, row(0) - k * stride());
      std::copy_n(row(height - 1), width, row(height - 1) + k * stride());
    }
  }
};

/// One pass over all rows as if they were one: what it writes into the margins is never read.
void blur_pass(const Framed& from, const Framed& to, std::ptrdiff_t stride, Box box) {
  const std::size_t count = (from.height - 1) * from.stride() + from.width;
  blur(from.row(0), stride, box, to.row(0), count);
}

}  // namespace

void gaussian_blur(const Planes& planes, float sigma, AugmentationScratch& scratch) {
  const Box box = make_box(sigma);
  const auto width = static_cast<std::size_t>(planes.width), height = static_cast<std::size_t>(planes.height);
  Framed from{nullptr, width, height, static_cast<std::size_t>(box.radius + 1)}, to = from;
  scratch.framed.resize(2 * from.size());
  from.memory = scratch.framed.data();
  to.memory = from.memory + from.size();
  for (std::size_t c = 0; c < 3; ++c) {
    std::uint8_t* plane = planes.channel(c);
    for (std::size_t y = 0; y < height; ++y) std::copy_n(plane + y * width, width, from.row(y));
    for (int pass = 0; pass < kPasses; ++pass) {
      from.repeat_columns();
      blur_pass(from, to, 1, box);
      std::swap(from, to);
    }
    for (int pass = 0; pass < kPasses; ++pass) {
      from.repeat_rows();
      blur_pass(from, to, static_cast<std::ptrdiff_t>(from.stride()), box);
      std::swap(from, to);
    }
    for (std::size_t y = 0; y < height; ++y) std::copy_n(from.row(y), width, plane + y * width);
  }
}

}  // namespace barlow::data
