// SPDX-License-Identifier: Apache-2.0
#include "resample.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "barlow/base/multiversion.hpp"

namespace barlow::data {
namespace {

using pixels::clip;
using pixels::kHalf;

/// Outputs [begin, begin + count) of one axis of a resize.
struct Span {
  int begin, count;
};

/// Which inputs make an output, and with which weights: taps of them from `first`, `stride` apart.
struct Taps {
  std::vector<int> first, count;
  std::vector<std::int32_t> weights;
  int stride = 0;

  /// The inputs that all outputs together need.
  Span inputs() const { return {first.front(), first.back() + count.back() - first.front()}; }
};

Taps make_taps(int in_size, int out_size, Span outputs, Filter filter) {
  const auto axis = pixels::Axis::make(in_size, out_size, filter);
  Taps taps;
  taps.stride = axis.max_taps();
  taps.first.resize(static_cast<std::size_t>(outputs.count));
  taps.count.resize(taps.first.size());
  taps.weights.assign(taps.first.size() * static_cast<std::size_t>(taps.stride), 0);
  std::vector<double> weights(static_cast<std::size_t>(taps.stride));
  for (int i = 0; i < outputs.count; ++i) {
    const auto inputs = axis.taps_of(outputs.begin + i);
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

/// The part's columns of some rows of the box: u8 [rows.count,part.width,3].
void resize_rows(const Image& image, const Resize& what, Span rows, AugmentationScratch& scratch) {
  const int width = what.part.width;
  const auto row_bytes = static_cast<std::size_t>(width) * 3;
  const auto row_from = [&](int y, int column) {
    return image.row(what.box.top + rows.begin + y) + std::ptrdiff_t{3} * (what.box.left + column);
  };
  scratch.rows.resize(row_bytes * static_cast<std::size_t>(rows.count));
  if (what.box.width == what.width) {
    for (int y = 0; y < rows.count; ++y)
      std::copy_n(row_from(y, what.part.left), row_bytes,
                  scratch.rows.data() + static_cast<std::size_t>(y) * row_bytes);
    return;
  }
  Taps taps = make_taps(what.box.width, what.width, {what.part.left, width}, what.filter);
  const Span columns = taps.inputs();
  for (int& first : taps.first) first -= columns.begin;
  scratch.columns.resize(static_cast<std::size_t>(columns.count + width) * kBlockBytes);
  std::uint8_t* const in = scratch.columns.data();
  std::uint8_t* const out = in + static_cast<std::ptrdiff_t>(columns.count) * kBlockBytes;
  for (int y = 0; y < rows.count; y += kBlock) {
    BlockRows block;
    for (int row = 0; row < kBlock; ++row)
      block[static_cast<std::size_t>(row)] = row_from(std::min(y + row, rows.count - 1), columns.begin);
    to_columns(block, columns.count, in);
    resize_columns(in, taps.first.data(), taps.count.data(), taps.weights.data(), taps.stride, out, width);
    to_rows(out, width, std::min(kBlock, rows.count - y),
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

void resize(const Image& image, const Resize& what, AugmentationScratch& scratch, std::span<std::uint8_t> out) {
  const auto row_bytes = static_cast<std::size_t>(what.part.width) * 3;
  if (what.box.height == what.height) {
    resize_rows(image, what, {what.part.top, what.part.height}, scratch);
    std::copy(scratch.rows.begin(), scratch.rows.end(), out.begin());
    return;
  }
  const Taps taps = make_taps(what.box.height, what.height, {what.part.top, what.part.height}, what.filter);
  const Span rows = taps.inputs();
  resize_rows(image, what, rows, scratch);
  scratch.weights.resize(row_bytes);
  for (std::size_t y = 0; y < taps.first.size(); ++y) {
    std::fill(scratch.weights.begin(), scratch.weights.end(), kHalf);
    for (int k = 0; k < taps.count[y]; ++k) {
      const std::uint8_t* in =
          scratch.rows.data() + static_cast<std::size_t>(taps.first[y] - rows.begin + k) * row_bytes;
      add_row(in, taps.weights[y * static_cast<std::size_t>(taps.stride) + static_cast<std::size_t>(k)],
              scratch.weights.data(), static_cast<int>(row_bytes));
    }
    clip_row(scratch.weights.data(), out.data() + y * row_bytes, static_cast<int>(row_bytes));
  }
}

}  // namespace barlow::data
