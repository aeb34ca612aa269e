// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// The inner loops of filter_gradient.hpp, for AVX2 and AVX-512: tiles of a product a^T b, summed over rows. Both
/// matrices come packed in panels of a few columns, row behind row, an entry of 32 bits for each column: a number in
/// fp32, the numbers of two rows in bf16, which the processor multiplies and adds together.
namespace barlow::cpu {

struct FilterGradientKernels {
  std::int64_t tile_rows, tile_columns;  ///< as many as leave a tile's sums in registers

  /// Writes a panel: row i is at rows[i] + offset (bytes). In bf16 their number is even.
  using Pack = void(const std::byte* const* rows, std::int64_t num_rows, std::int64_t offset, std::uint32_t* panel);
  Pack* pack_a;  ///< tile_rows columns of a
  Pack* pack_b;  ///< tile_columns columns of b
  /// c [tile_rows,tile_columns] = (or, to add, +=) a^T b over `depth` entries; c's rows are `stride` numbers apart.
  void (*multiply)(std::int64_t depth, const std::uint32_t* a, const std::uint32_t* b, bool add, float* c,
                   std::int64_t stride);
};

/// Null where this machine lacks the instructions.
struct FilterGradientTables {
  FilterGradientKernels fp32, bf16;
};

const FilterGradientTables& filter_gradient_kernels();

}  // namespace barlow::cpu
