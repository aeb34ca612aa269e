// SPDX-License-Identifier: Apache-2.0
#include "barlow/pixels/blur.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "barlow/base/multiversion.hpp"
#include "pixel_filters.hpp"

namespace barlow::data {
namespace {

using pixels::BlurBox;

/// out[i] from in[i - (radius+1) stride] to in[i + (radius+1) stride], all of which exist.
BARLOW_MULTIVERSION void blur_run(const std::uint8_t* __restrict in, std::ptrdiff_t stride, BlurBox box,
                                  std::uint8_t* __restrict out, std::size_t count) {
  const std::ptrdiff_t end = (box.radius + 1) * stride;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* center = in + i;
    std::uint32_t sum = 0;
    for (std::ptrdiff_t k = -box.radius; k <= box.radius; ++k) sum += center[k * stride];
    const std::uint32_t ends = static_cast<std::uint32_t>(center[-end]) + center[end];
    out[i] = box.average(sum, ends);
  }
}

/// The radii that occur at sigma up to 2, with the taps unrolled.
template <int kRadius>
BARLOW_MULTIVERSION void blur_run_of_radius(const std::uint8_t* __restrict in, std::ptrdiff_t stride, BlurBox box,
                                            std::uint8_t* __restrict out, std::size_t count) {
  const std::uint8_t *before = in - stride, *after = in + stride;
  const std::uint8_t *first = in - (kRadius + 1) * stride, *last = in + (kRadius + 1) * stride;
  for (std::size_t i = 0; i < count; ++i) {
    const auto sum = static_cast<std::uint16_t>(kRadius == 0 ? in[i] : before[i] + in[i] + after[i]);
    const auto ends = static_cast<std::uint16_t>(first[i] + last[i]);
    out[i] = box.average(sum, ends);
  }
}

void blur(const std::uint8_t* in, std::ptrdiff_t stride, BlurBox box, std::uint8_t* out, std::size_t count) {
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
void blur_pass(const Framed& from, const Framed& to, std::ptrdiff_t stride, BlurBox box) {
  const std::size_t count = (from.height - 1) * from.stride() + from.width;
  blur(from.row(0), stride, box, to.row(0), count);
}

}  // namespace

void gaussian_blur(const Planes& planes, float sigma, AugmentationScratch& scratch) {
  const BlurBox box = pixels::make_blur_box(sigma);
  const auto width = static_cast<std::size_t>(planes.width), height = static_cast<std::size_t>(planes.height);
  Framed from{nullptr, width, height, static_cast<std::size_t>(box.radius + 1)}, to = from;
  scratch.framed.resize(2 * from.size());
  from.memory = scratch.framed.data();
  to.memory = from.memory + from.size();
  for (std::size_t c = 0; c < 3; ++c) {
    std::uint8_t* plane = planes.channel(c);
    for (std::size_t y = 0; y < height; ++y) std::copy_n(plane + y * width, width, from.row(y));
    for (int pass = 0; pass < pixels::kBlurPasses; ++pass) {
      from.repeat_columns();
      blur_pass(from, to, 1, box);
      std::swap(from, to);
    }
    for (int pass = 0; pass < pixels::kBlurPasses; ++pass) {
      from.repeat_rows();
      blur_pass(from, to, static_cast<std::ptrdiff_t>(from.stride()), box);
      std::swap(from, to);
    }
    for (std::size_t y = 0; y < height; ++y) std::copy_n(from.row(y), width, plane + y * width);
  }
}

}  // namespace barlow::data
