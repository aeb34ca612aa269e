// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// The transforms of F(2x2, 3x3) (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section
/// 4.1), for the instruction set of this machine. All of them add, subtract and halve only.
namespace barlow::cpu {

/// to = L from L^T for every channel: `from` and `to` point to the rows of `channels` numbers that are the entries of
/// two square matrices, row by row. Rows of `to` that nobody wants may be the same.
using Transform = void(const float* const* from, float* const* to, std::int64_t channels);

struct WinogradKernels {
  Transform* input;        ///< 4x4 pixels of x to 16 positions: L = B^T
  Transform* filter;       ///< 3x3 to 16 positions: L = G
  Transform* output;       ///< 16 positions to 2x2 pixels of y: L = A^T
  Transform* output_grad;  ///< 2x2 pixels of dy to 16 positions: L = A
  Transform* filter_grad;  ///< 16 positions to 3x3: L = G^T
};

/// Those of the widest vectors that this machine has.
const WinogradKernels& winograd_kernels();

}  // namespace barlow::cpu
