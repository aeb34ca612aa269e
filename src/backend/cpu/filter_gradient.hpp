// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/backend/op_descriptors.hpp"
#include "barlow/tensor/view.hpp"

/// Gradients of filters as one long sum: dw [K,R*S*C] = dy^T x, where a row of x for a filter's position is the pixel
/// that it meets. Libraries' products are made for long rows and short sums; here a filter has few entries and the sum
/// runs over all pixels of all images.
namespace barlow::cpu {

class Primitives;

/// Whether this machine has kernels for it, and channels fill their tiles.
bool fits_filter_gradient(const Conv2dDesc& desc);

/// dw [K,R,S,C] f32 of x [N,H,W,C] and dy [N,P,Q,K]. Takes scratch memory of `primitives`: for each thread a few MiB,
/// and sums of its own, as long as all of these have at most 64 MiB.
void filter_gradient(Primitives& primitives, const Conv2dDesc& desc, ConstTensorView x, ConstTensorView dy,
                     TensorView dw, int num_threads);

}  // namespace barlow::cpu
