// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "launch.cuh"
#include "row_grid.hpp"

/// Kernels that stream over the rows of [V,rows,C], each thread with its channels' constants in registers.
namespace barlow::cuda {

/// A grid of few enough blocks that a thread has rows to spread its constants over.
inline RowGrid streaming_grid(std::int64_t views, std::int64_t rows, std::int64_t channels, int width) {
  constexpr int kMinRowsOfThread = 8;
  const std::int64_t threads = views * rows * ((channels + width - 1) / width);
  const std::int64_t blocks = threads / (kBlock * kMinRowsOfThread);
  return RowGrid::cut(views, rows, channels, width, kBlock,
                      static_cast<int>(blocks < 1             ? 1
                                       : blocks < kManyBlocks ? blocks
                                                              : kManyBlocks));
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

}  // namespace barlow::cuda
