// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "launch.cuh"
#include "row_grid.hpp"

/// Kernels that stream over the rows of [V,rows,C], each thread with its channels' constants in registers.
namespace barlow::cuda {

/// Blocks to aim at: a few for each of an H100's 132 multiprocessors, whole waves where one holds 2, 3 or 4. Sums take
/// fewer: each block adds up its threads' at its end, and its parts are added up once more. Fixed, so that a sum's
/// order depends on its shape only and not on the device.
inline constexpr int kStreamingBlocks = 132 * 12, kSummingBlocks = 132 * 4;

/// A grid of few enough blocks that a thread has rows to spread its constants over.
inline RowGrid streaming_grid(std::int64_t views, std::int64_t rows, std::int64_t channels, int width,
                              std::int64_t most_blocks = kStreamingBlocks) {
  constexpr int kMinRowsOfThread = 8;
  const std::int64_t threads = views * rows * ((channels + width - 1) / width);
  const std::int64_t blocks = std::clamp<std::int64_t>(threads / (kBlock * kMinRowsOfThread), 1, most_blocks);
  return RowGrid::cut(views, rows, channels, width, kBlock, static_cast<int>(blocks));
}

inline RowGrid summing_grid(std::int64_t views, std::int64_t rows, std::int64_t channels, int width) {
  return streaming_grid(views, rows, channels, width, kSummingBlocks);
}

inline dim3 blocks_of(const RowGrid& grid, std::int64_t views) {
  return dim3(static_cast<unsigned>(grid.channel_blocks), static_cast<unsigned>(grid.splits),
              static_cast<unsigned>(views));
}
inline dim3 threads_of(const RowGrid& grid) {
  return dim3(static_cast<unsigned>(grid.lanes), static_cast<unsigned>(grid.rows_at_once));
}

/// Where a thread starts, and how it goes on: channels [channel, channel + width) of rows row, row + step, ... < last.
/// Nothing to do where channel >= grid.channels.
struct RowPosition {
  std::int64_t channel, row, last, step;
  int view;

  __device__ explicit RowPosition(const RowGrid& grid)
      : channel((static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * grid.width),
        row(static_cast<std::int64_t>(blockIdx.y) * grid.rows_per_block + threadIdx.y),
        last(min((static_cast<std::int64_t>(blockIdx.y) + 1) * grid.rows_per_block, grid.rows)),
        step(blockDim.y),
        view(static_cast<int>(blockIdx.z)) {}
};

/// Calls use(rows, at, stride) for all rows of a thread: an array of what read(at) gave of kRows of them, or of one at
/// the end; `at` is the index of the first one's first element, the next one's is `stride` further. Safe in place: a
/// thread touches its own elements only.
///
/// All are read before the first is used, so that their loads are on their way together: what hides the latency of a
/// GPU's memory is about 32 KB on its way to each multiprocessor. They are read at a loop's end and used at its
/// beginning, because within one block the assembler reads each row where it is used, to save registers.
template <int kRows, class Read, class Use>
__device__ void for_rows(const RowGrid& grid, const RowPosition& p, Read read, Use use) {
  static_assert(kRowsTogether % kRows == 0);
  using Row = decltype(read(p.row));
  const std::int64_t stride = p.step * grid.channels;
  std::int64_t row = p.row, at = (p.view * grid.rows + row) * grid.channels + p.channel;
  const auto are_left = [&] { return row + (kRows - 1) * p.step < p.last; };
  if (are_left()) {
    Row rows[kRows];
    const auto fetch = [&] {
#pragma unroll
      for (int i = 0; i < kRows; ++i) rows[i] = read(at + i * stride);
    };
    fetch();
    for (;;) {
      use(rows, at, stride);
      row += kRows * p.step;
      at += kRows * stride;
      if (!are_left()) break;
      fetch();
    }
  }
  for (; row < p.last; row += p.step, at += stride) {
    const Row rows[] = {read(at)};
    use(rows, at, stride);
  }
}

}  // namespace barlow::cuda
