// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "barlow/pixels/resample.hpp"
#include "barlow/pixels/view_plan.hpp"

/// The work of one block of threads, cut into phases of independent items: kernels share the items of a phase among
/// threads and wait between phases; make_view() goes through the same phases in loops. The order:
///   ViewTile      resize, flip, and the colours up to contrast; the sum of luma for contrast's mean
///   finish_colors views with contrast: the rest of the colours
///   BlurStrip     views with blur: rows, then columns with the solarisation
namespace barlow::pixels {

/// A rectangle of a view.
struct ViewTile {
  static constexpr int kColumns = 32, kRows = 16;
  static constexpr int kOutputs = kColumns + kRows;  ///< of both axes
  static constexpr int kMaxTaps = 4 * ViewPlan::kMaxScale + 1;
  static constexpr int kMaxInputRows = (kRows + 3) * ViewPlan::kMaxScale + 2;

  /// What the threads of a block share.
  struct Memory {
    std::int32_t first[kOutputs], count[kOutputs];  ///< inputs of an output: columns, then rows
    double sum[kOutputs];                           ///< of its weights
    std::int32_t weights[kOutputs * kMaxTaps];
    std::uint8_t rows[kMaxInputRows * kColumns * 3];  ///< resized along x, 8 bits as PIL has it between its passes
  };

  const ViewPlan& plan;
  const std::uint8_t* pixels;
  std::uint8_t* view;  ///< u8 [size,size,3]
  int size;
  int x, y;  ///< of the view, where the tile begins

  static constexpr int tiles_across(int view_size) { return (view_size + kColumns - 1) / kColumns; }
  static constexpr int tiles_down(int view_size) { return (view_size + kRows - 1) / kRows; }
  static constexpr int num_tiles(int view_size) { return tiles_across(view_size) * tiles_down(view_size); }

  static constexpr ViewTile make(const ViewPlan& plan, const std::uint8_t* all_pixels, std::uint8_t* view, int size,
                                 int tile) {
    const int across = tiles_across(size);
    return {plan, all_pixels + plan.first_byte, view, size, tile % across * kColumns, tile / across * kRows};
  }

  constexpr int columns() const { return size - x < kColumns ? size - x : kColumns; }
  constexpr int rows() const { return size - y < kRows ? size - y : kRows; }

  // Phase 1: items [0, kOutputs).
  constexpr void find_taps(int output, Memory& m) const {
    m.count[output] = 0;
    if (!is_inside(output)) return;
    const Axis axis = axis_of(output);
    const Axis::Taps taps = axis.taps_of(place_of(output));
    m.first[output] = taps.first;
    m.count[output] = taps.last - taps.first;
    m.sum[output] = axis.sum_of_weights(taps);
  }

  // Phase 2: items [0, kOutputs * kMaxTaps).
  constexpr void find_weight(int item, Memory& m) const {
    const int output = item / kMaxTaps, tap = item % kMaxTaps;
    if (tap >= m.count[output]) return;
    const Axis axis = axis_of(output);
    const Axis::Taps taps = axis.taps_of(place_of(output));
    m.weights[item] = to_fixed_point(axis.weight(taps, taps.first + tap), m.sum[output]);
  }

  // Phase 3: items [0, num_input_rows(m) * kColumns).
  constexpr int num_input_rows(const Memory& m) const {
    const int last = kColumns + rows() - 1;
    return m.first[last] + m.count[last] - m.first[kColumns];
  }
  constexpr void resize_along_x(int item, Memory& m) const {
    const int row = item / kColumns, column = item % kColumns;
    if (column >= columns()) return;
    const std::uint8_t* in = pixels + static_cast<std::ptrdiff_t>(m.first[kColumns] + row) * plan.row_bytes +
                             std::ptrdiff_t{3} * m.first[column];
    write(m.rows + 3 * item, weighted(in, 3, m.weights + column * kMaxTaps, m.count[column]));
  }

  // Phase 4: items [0, kColumns * kRows). Returns the pixel's luma where contrast needs it, else 0.
  constexpr std::uint32_t make_pixel(int item, const Memory& m) const {
    const int row = item / kColumns, column = item % kColumns;
    if (column >= columns() || row >= rows()) return 0;
    const int output = kColumns + row;
    const std::uint8_t* in = m.rows + 3 * ((m.first[output] - m.first[kColumns]) * kColumns + column);
    Rgb pixel = weighted(in, 3 * kColumns, m.weights + output * kMaxTaps, m.count[output]);
    const int contrast = plan.contrast_step();
    pixel = plan.jitter(pixel, 0, contrast, 0);
    if (contrast == plan.num_steps) pixel = plan.finish(pixel);
    const int target = plan.flip ? size - 1 - (x + column) : x + column;
    write(view + (static_cast<std::ptrdiff_t>(y + row) * size + target) * 3, pixel);
    return contrast == plan.num_steps ? 0 : static_cast<std::uint32_t>(luma(pixel.r, pixel.g, pixel.b));
  }

 private:
  constexpr bool is_inside(int output) const {
    return output < kColumns ? output < columns() : output - kColumns < rows();
  }
  constexpr Axis axis_of(int output) const {
    return output < kColumns ? Axis::make(plan.box_width, plan.full_width, Filter::kBicubic)
                             : Axis::make(plan.box_height, plan.full_height, Filter::kBicubic);
  }
  constexpr int place_of(int output) const {
    return output < kColumns ? plan.left + x + output : plan.top + y + output - kColumns;
  }
  static constexpr Rgb weighted(const std::uint8_t* in, int stride, const std::int32_t* weights, int count) {
    std::int32_t red = kHalf, green = kHalf, blue = kHalf;
    for (int k = 0; k < count; ++k) {
      red += in[k * stride] * weights[k];
      green += in[k * stride + 1] * weights[k];
      blue += in[k * stride + 2] * weights[k];
    }
    return {clip(red), clip(green), clip(blue)};
  }
  static constexpr void write(std::uint8_t* to, Rgb pixel) {
    to[0] = pixel.r;
    to[1] = pixel.g;
    to[2] = pixel.b;
  }
};

/// Contrast and what follows it, for one pixel of a view that has contrast. Items [0, size * size).
constexpr void finish_colors(const ViewPlan& plan, std::uint64_t sum_of_luma, int size, int item, std::uint8_t* view) {
  const std::int32_t mean = mean_luma(sum_of_luma, static_cast<std::uint64_t>(size) * static_cast<std::uint64_t>(size));
  std::uint8_t* at = view + std::ptrdiff_t{3} * item;
  const Rgb pixel = plan.finish(plan.jitter({at[0], at[1], at[2]}, plan.contrast_step(), plan.num_steps, mean));
  at[0] = pixel.r;
  at[1] = pixel.g;
  at[2] = pixel.b;
}

/// Lines of a view that lie side by side, blurred along their length in the block's memory: one row of pixels is three
/// lines, and columns of bytes are lines, too.
struct BlurStrip {
  std::uint8_t* first;
  int length;  ///< of a line
  int lines;
  std::ptrdiff_t step;  ///< bytes from one place of a line to the next
  bool solarize;        ///< at the end

  /// Strips of a view, and bytes of the two memories that a block needs together.
  static constexpr int num_strips(int size, bool columns) {
    return columns ? (3 * size + lines_of_columns(size) - 1) / lines_of_columns(size) : size;
  }
  static constexpr int memory_bytes(int size, bool columns) {
    return 2 * size * (columns ? lines_of_columns(size) : 3);
  }
  static constexpr BlurStrip make(const ViewPlan& plan, std::uint8_t* view, int size, bool columns, int strip) {
    if (!columns) return {view + std::ptrdiff_t{3} * size * strip, size, 3, 3, false};
    const int lines = lines_of_columns(size), begin = strip * lines;
    return {view + begin, size, 3 * size - begin < lines ? 3 * size - begin : lines, std::ptrdiff_t{3} * size,
            plan.solarize};
  }

  constexpr int num_items() const { return length * lines; }
  // Phase 1.
  constexpr void load(int item, std::uint8_t* to) const { to[item] = first[place(item)]; }
  // Phases 2 to 4: the two memories take turns. Places before and after a line are its ends repeated.
  constexpr void blur(int item, const BlurBox& box, const std::uint8_t* from, std::uint8_t* to) const {
    const int at = item / lines, line = item % lines;
    std::uint32_t sum = from[item];
    for (int k = 1; k <= box.radius; ++k) sum += from[near(at - k, line)] + from[near(at + k, line)];
    const int end = box.radius + 1;
    to[item] = box.average(sum, static_cast<std::uint32_t>(from[near(at - end, line)]) + from[near(at + end, line)]);
  }
  // Phase 5.
  constexpr void store(int item, const std::uint8_t* from) const {
    first[place(item)] = solarize ? invert_if_bright(from[item]) : from[item];
  }

 private:
  /// Wide strips, so that neighbouring threads read neighbouring bytes, of at most 16 KiB each.
  static constexpr int lines_of_columns(int size) {
    int lines = 64;
    while (lines > 4 && lines * size > 1 << 14) lines /= 2;
    return lines;
  }
  constexpr std::ptrdiff_t place(int item) const { return item / lines * step + item % lines; }
  constexpr int near(int at, int line) const { return (at < 0 ? 0 : at >= length ? length - 1 : at) * lines + line; }
};

}  // namespace barlow::pixels
