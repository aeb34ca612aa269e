// SPDX-License-Identifier: Apache-2.0
#include "resample.hpp"

#include <algorithm>

#include "multiversion.hpp"

namespace barlow::data {
namespace {

using pixels::clip;
using pixels::kHalf;

/// Which inputs make an output, and with which weights: taps of them from `first`, `stride` apart.
struct Taps {
  std::vector<int> first, count;
  std::vector<std::int32_t> weights;
  int stride = 0;
};

Taps make_taps(int in_size, int out_size, Filter filter) {
  const auto axis = pixels::Axis::make(in_size, out_size, filter);
  Taps taps;
  taps.stride = axis.max_taps();
  taps.first.resize(static_cast<std::size_t>(out_size));
  taps.count.resize(taps.first.size());
  taps.weights.assign(taps.first.size() * static_cast<std::size_t>(taps.stride), 0);
  std::vector<double> weights(static_cast<std::size_t>(taps.stride));
  for (int i = 0; i < out_size; ++i) {
    const auto inputs = axis.taps_of(i);
    double sum = 0;
    for (int in = inputs.first; in < inputs.last; ++in) {
      const double weight = axis.weight(inputs, in);
      weights[static_cast<std::size_t>(in - inputs.first)] = weight;
      sum += weight;
    }
    const int count = inputs.last - inputs.first;
    taps.first[static_cast<std::size_t>(i)] = inputs.first;
    taps.count[static_cast<std::size_t>(i)] = count;
    std::int32_t* row = taps.weights.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(taps.stride);
    for (int k = 0; k < count; ++k) row[k] = pixels::to_fixed_point(weights[static_cast<std::size_t>(k)], sum);
  }
  return taps;
}

BARLOW_MULTIVERSION void resize_row(const std::uint8_t* in, const int* first, const int* count,
                                    const std::int32_t* weights, int stride, std::uint8_t* out, int width) {
  for (int x = 0; x < width; ++x) {
    std::int32_t red = kHalf, green = red, blue = red;
    const std::uint8_t* pixel = in + 3 * first[x];
    const std::int32_t* weight = weights + static_cast<std::ptrdiff_t>(x) * stride;
    for (int k = 0; k < count[x]; ++k) {
      red += pixel[3 * k] * weight[k];
      green += pixel[3 * k + 1] * weight[k];
      blue += pixel[3 * k + 2] * weight[k];
    }
    out[3 * x] = clip(red);
    out[3 * x + 1] = clip(green);
    out[3 * x + 2] = clip(blue);
  }
}

BARLOW_MULTIVERSION void add_row(const std::uint8_t* in, std::int32_t weight, std::int32_t* sums, int count) {
  for (int i = 0; i < count; ++i) sums[i] += in[i] * weight;
}

BARLOW_MULTIVERSION void clip_row(const std::int32_t* sums, std::uint8_t* out, int count) {
  for (int i = 0; i < count; ++i) out[i] = clip(sums[i]);
}

}  // namespace

void resize(const Image& image, const ViewRecipe::Box& box, int width, int height, Filter filter,
            AugmentationScratch& scratch, std::span<std::uint8_t> out) {
  const auto row_bytes = static_cast<std::size_t>(width) * 3;
  scratch.rows.resize(row_bytes * static_cast<std::size_t>(box.height));
  const Taps columns = make_taps(box.width, width, filter);
  for (int y = 0; y < box.height; ++y) {
    const std::uint8_t* in = image.row(box.top + y) + 3 * box.left;
    std::uint8_t* row = scratch.rows.data() + static_cast<std::size_t>(y) * row_bytes;
    if (box.width == width) {
      std::copy(in, in + row_bytes, row);
    } else {
      resize_row(in, columns.first.data(), columns.count.data(), columns.weights.data(), columns.stride, row, width);
    }
  }
  if (box.height == height) {
    std::copy(scratch.rows.begin(), scratch.rows.end(), out.begin());
    return;
  }
  const Taps rows = make_taps(box.height, height, filter);
  scratch.weights.resize(row_bytes);
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
    std::fill(scratch.weights.begin(), scratch.weights.end(), kHalf);
    for (int k = 0; k < rows.count[y]; ++k) {
      const std::uint8_t* in = scratch.rows.data() + static_cast<std::size_t>(rows.first[y] + k) * row_bytes;
      add_row(in, rows.weights[y * static_cast<std::size_t>(rows.stride) + static_cast<std::size_t>(k)],
              scratch.weights.data(), static_cast<int>(row_bytes));
    }
    clip_row(scratch.weights.data(), out.data() + y * row_bytes, static_cast<int>(row_bytes));
  }
}

}  // namespace barlow::data
