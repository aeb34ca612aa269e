// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/backend/op_descriptors.hpp"
#include "barlow/tensor/view.hpp"

/// 3x3 convolutions in fp32 by Winograd's minimal filtering F(2x2, 3x3): outputs in tiles of 2x2 pixels, each from the
/// 4x4 pixels that it sees, at 16 multiplications per channel and filter instead of 36. In between lie matrix products,
/// one for each of 16 positions, over all tiles. The transforms add and halve only, so that results round as direct
/// sums do.
namespace barlow::cpu {

class Primitives;

/// Filters of 3x3 at stride 1 with padding 1, in fp32.
bool fits_winograd(const Conv2dDesc& desc);

/// y [N,H,W,K] of x [N,H,W,C] and w [K,3,3,C]; or, turned, of w [C,3,3,K] with both of its axes reversed, which makes
/// dx of dy. Both functions take scratch memory of `primitives`: a few MiB for each thread, and for dw up to 64 more.
void winograd_conv2d(Primitives& primitives, const Conv2dDesc& desc, ConstTensorView x, ConstTensorView w, bool turned,
                     TensorView y, int num_threads);
/// dw [K,3,3,C].
void winograd_grad_filter(Primitives& primitives, const Conv2dDesc& desc, ConstTensorView x, ConstTensorView dy,
                          TensorView dw, int num_threads);

}  // namespace barlow::cpu
