// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/backend/op_descriptors.hpp"

/// A convolution as a matrix product: what every output sees of x, written out as a row.
namespace barlow::cpu {

/// patches [N,P,Q,R,S,C] of the type desc.dtype, patches[n,p,q,r,s] = x[n, p*stride - padding + r, q*stride - padding +
/// s], zero beyond the border. Then y = patches w^T and dw = dy^T patches with w, dw as [K,R*S*C].
void unfold(const Conv2dDesc& desc, const void* x, void* patches, int num_threads);

/// dx [N,H,W,C] of a filter of one position without padding from dx at the pixels that the filter meets, [N,P,Q,C]:
/// zero at the others.
void spread(const Conv2dDesc& desc, const void* met, void* dx, int num_threads);

/// turned [R,S,K,C] = w [K,R,S,C] with both of its axes reversed: the filter of dx = unfold(dy) turned, for stride 1.
void turn_filter(const Conv2dDesc& desc, const void* w, void* turned, int num_threads);

}  // namespace barlow::cpu
