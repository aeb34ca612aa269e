// SPDX-License-Identifier: Apache-2.0
#include "resample.hpp"

#include <algorithm>
#include <array>
#include <cstring>

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

// A row's pixels have neither three registers' width nor one weight. Rows of a block side by side, a column at a time,
// have both.
constexpr int kBlock = 16;  // rows
constexpr int kBlockBytes = 3 * kBlock;
using BlockRows = std::array<const std::uint8_t*, kBlock>;

/// columns [width][16][3] from 16 rows [width][3].
BARLOW_MULTIVERSION void to_columns(const BlockRows& rows, int width, std::uint8_t* columns) {
  for (int x = 0; x < width; ++x, columns += kBlockBytes) {
    for (std::size_t row = 0; row < kBlock; ++row) std::memcpy(columns + 3 * row, rows[row] + 3 * x, 3);
  }
}

/// The first `count` of 16 rows [width][3], one after the other, from columns [width][16][3].
BARLOW_MULTIVERSION void to_rows(const std::uint8_t* columns, int width, int count, std::uint8_t* rows) {
  for (int row = 0; row < count; ++row) {
    for (int x = 0; x < width; ++x, rows += 3) std::memcpy(rows, columns + x * kBlockBytes + 3 * row, 3);
  }
}

BARLOW_MULTIVERSION void resize_columns(const std::uint8_t* in, const int* first, const int* count,
                                        const std::int32_t* weights, int stride, std::uint8_t* out, int width) {
  for (int x = 0; x < width; ++x, weights += stride, out += kBlockBytes) {
    std::array<std::int32_t, kBlockBytes> sums;
    sums.fill(kHalf);
    const std::uint8_t* column = in + first[x] * kBlockBytes;
    for (int k = 0; k < count[x]; ++k, column += kBlockBytes) {
      for (std::size_t i = 0; i < kBlockBytes; ++i) sums[i] += column[i] * weights[k];
    }
    for (std::size_t i = 0; i < kBlockBytes; ++i) out[i] = clip(sums[i]);
  }
}

/// Every row of the box to `width`: u8 [box.height,width,3].
void resize_rows(const Image& image, const ViewRecipe::Box& box, int width, Filter filter,
                 AugmentationScratch& scratch) {
  const auto row_bytes = static_cast<std::size_t>(width) * 3;
  const auto row_of_box = [&](int y) { return image.row(box.top + y) + 3 * box.left; };
  scratch.rows.resize(row_bytes * static_cast<std::size_t>(box.height));
  if (box.width == width) {
    for (int y = 0; y < box.height; ++y)
      std::copy_n(row_of_box(y), row_bytes, scratch.rows.data() + static_cast<std::size_t>(y) * row_bytes);
    return;
  }
  const Taps taps = make_taps(box.width, width, filter);
  scratch.columns.resize(static_cast<std::size_t>(box.width + width) * kBlockBytes);
  std::uint8_t* const in = scratch.columns.data();
  std::uint8_t* const out = in + static_cast<std::ptrdiff_t>(box.width) * kBlockBytes;
  for (int y = 0; y < box.height; y += kBlock) {
    BlockRows rows;
    for (int row = 0; row < kBlock; ++row)
      rows[static_cast<std::size_t>(row)] = row_of_box(std::min(y + row, box.height - 1));
    to_columns(rows, box.width, in);
    resize_columns(in, taps.first.data(), taps.count.data(), taps.weights.data(), taps.stride, out, width);
    to_rows(out, width, std::min(kBlock, box.height - y),
            scratch.rows.data() + static_cast<std::size_t>(y) * row_bytes);
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
  resize_rows(image, box, width, filter, scratch);
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
