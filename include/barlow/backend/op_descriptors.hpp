// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "barlow/tensor/dtype.hpp"
#include "barlow/tensor/view.hpp"

namespace barlow {

/// A 2-D convolution without bias, groups or dilation: x [N,H,W,C] * w [K,R,S,C] -> y [N,P,Q,K].
struct Conv2dDesc {
  std::int64_t N, H, W, C, K;
  int R, S, stride, padding;
  DType dtype;  ///< of x, w, y and their gradients but dw: kF32, kBF16 or kF16

  constexpr std::int64_t P() const { return (H + 2 * padding - R) / stride + 1; }
  constexpr std::int64_t Q() const { return (W + 2 * padding - S) / stride + 1; }
  bool operator==(const Conv2dDesc&) const = default;
};

/// A batch norm whose statistics are per view and channel: x is [V, rows, C], rows = images of one view here * H * W.
struct BatchNormDesc {
  std::int64_t views;  ///< V: 2 in training, 1 in evaluation
  std::int64_t rows;   ///< of one view, on this rank
  std::int64_t channels;
  bool relu;      ///< y = max(0, ...) at the end
  bool residual;  ///< another tensor is added before the ReLU
  DType dtype;    ///< of x and dx
  DType y_dtype;  ///< of y, dy and the residual
};

/// What a batch norm normalises with.
struct BatchNormMap {
  ConstTensorView mean, inv_std;          ///< f32 [V,C]: of each view
  ConstTensorView gamma = {}, beta = {};  ///< f32 [C], or empty: 1 and 0
};

/// A max pooling: x [N,H,W,C] -> y [N,P,Q,C]; padding is minus infinity.
struct MaxPoolDesc {
  std::int64_t N, H, W, C;
  int window, stride, padding;
  DType dtype;

  constexpr std::int64_t P() const { return (H + 2 * padding - window) / stride + 1; }
  constexpr std::int64_t Q() const { return (W + 2 * padding - window) / stride + 1; }
};

/// C [M,N] = alpha * op(A) op(B) + beta * C, where op(A) is [M,K] and op(B) is [K,N]; A is stored [K,M] when
/// transpose_a, B is stored [N,K] when transpose_b.
struct GemmDesc {
  std::int64_t M, N, K;
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1;
  float beta = 0;
  std::int64_t row_stride_a = 0;  ///< elements from row to row of a as it lies in memory; 0: its rows are dense

  /// Elements from row to row of a as it lies in memory.
  std::int64_t a_row_stride() const { return row_stride_a != 0 ? row_stride_a : transpose_a ? M : K; }
  /// Elements of a as it lies in memory, from the first that counts to the last.
  std::int64_t a_elements() const { return ((transpose_a ? K : M) - 1) * a_row_stride() + (transpose_a ? M : K); }
  auto operator<=>(const GemmDesc&) const = default;
};

/// One tensor inside the flat buffers of parameters, gradients and momentum.
struct LarsSegment {
  std::int64_t offset;  ///< in elements
  std::int64_t size;    ///< in elements
  bool adapt;           ///< weight decay and trust ratio apply (tensors of rank 2 and more)
  bool operator==(const LarsSegment&) const = default;
};

/// The numbers of one LARS step (You, Gitman and Ginsburg 2017, as the original training code applies it).
struct LarsStep {
  float rate_weights = 0;  ///< of adapted segments
  float rate_biases = 0;   ///< of the others
  float weight_decay = 0;
  float momentum = 0;
  float eta = 0;         ///< trust coefficient
  bool clip = false;     ///< ratio limited to min(q / rate, 1), the form for small data sets
  float loss_scale = 1;  ///< gradients are this many times too large and are divided by it first
};

}  // namespace barlow
