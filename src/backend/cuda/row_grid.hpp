// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace barlow::cuda {

/// The most rows that a thread reads together. Blocks take whole batches of them, save the last of a view.
inline constexpr int kRowsTogether = 8;

/// How blocks of threads share [views, rows, channels]: a block takes `lanes` groups of `width` channels and a range of
/// one view's rows; its threads are [lanes, rows_at_once]. Depends on the shape only, so that sums always have the same
/// order. Plain arithmetic, the same on host and device.
struct RowGrid {
  std::int64_t rows, channels;
  int width;                   ///< channels of a thread
  int lanes;                   ///< threads side by side on one row: a power of two, at most 32
  int rows_at_once;            ///< rows that a block works on at a time
  int channel_blocks, splits;  ///< of the grid; views are its third extent
  std::int64_t rows_per_block;

  /// @param threads  of a block, a power of two of at least 32
  /// @param blocks  to aim at, over all views
  static RowGrid cut(std::int64_t views, std::int64_t rows, std::int64_t channels, int width, int threads, int blocks) {
    RowGrid grid{};
    grid.rows = rows;
    grid.channels = channels;
    grid.width = width;
    const std::int64_t groups = (channels + width - 1) / width;
    grid.lanes = 1;
    while (grid.lanes < 32 && grid.lanes < groups) grid.lanes *= 2;
    grid.rows_at_once = threads / grid.lanes;
    grid.channel_blocks = static_cast<int>((groups + grid.lanes - 1) / grid.lanes);
    const std::int64_t most = (rows + grid.rows_at_once - 1) / grid.rows_at_once;
    const std::int64_t wanted = blocks / (views * grid.channel_blocks);
    const std::int64_t splits = wanted < 1 ? 1 : wanted < most ? wanted : most;
    const std::int64_t least = (most + splits - 1) / splits;  // of a block's passes over its rows
    const std::int64_t passes = (least + kRowsTogether - 1) / kRowsTogether * kRowsTogether;
    grid.rows_per_block = passes * grid.rows_at_once;
    grid.splits = static_cast<int>((rows + grid.rows_per_block - 1) / grid.rows_per_block);
    return grid;
  }
};

}  // namespace barlow::cuda
