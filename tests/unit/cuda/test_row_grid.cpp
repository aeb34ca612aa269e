// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "backend/cuda/row_grid.hpp"
#include "support/catch.hpp"

using barlow::cuda::RowGrid;

TEST_CASE("a grid's blocks take every row and channel once") {
  const std::int64_t views = GENERATE(1, 2), rows = GENERATE(1, 2, 7, 64, 1000), channels = GENERATE(1, 3, 8, 96, 1000);
  const int width = GENERATE(1, 4, 8), blocks = GENERATE(1, 16, 2048);
  if (channels % width != 0) return;
  const RowGrid grid = RowGrid::cut(views, rows, channels, width, 256, blocks);
  CHECK(grid.lanes * grid.rows_at_once == 256);
  std::vector<int> taken(static_cast<std::size_t>(rows * channels), 0);
  for (std::int64_t split = 0; split < grid.splits; ++split) {
    for (std::int64_t lane = 0; lane < grid.lanes * grid.channel_blocks; ++lane) {
      const std::int64_t channel = lane * width;
      if (channel >= channels) continue;
      for (std::int64_t y = 0; y < grid.rows_at_once; ++y) {
        const std::int64_t last = std::min((split + 1) * grid.rows_per_block, rows);
        for (std::int64_t row = split * grid.rows_per_block + y; row < last; row += grid.rows_at_once) {
          for (int i = 0; i < width; ++i) ++taken[static_cast<std::size_t>(row * channels + channel + i)];
        }
      }
    }
  }
  CHECK(taken == std::vector<int>(taken.size(), 1));
  CHECK(grid.rows_per_block % (grid.rows_at_once * barlow::cuda::kRowsTogether) == 0);
  // No block is idle, and there are not many more than asked for.
  CHECK((grid.splits - 1) * grid.rows_per_block < rows);
  CHECK((grid.splits == 1 || views * grid.channel_blocks * grid.splits <= blocks));
}
