// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include "barlow/backend/backend.hpp"
#include "element.hpp"

/// Inner loops over rows of channels, for the instruction set of this machine. T is the type of x and dx, U of y and
/// dy.
namespace barlow::cpu {

template <class T, class U>
struct NormKernels {
  /// Adds x and x^2 of `rows` rows to f64 sums.
  void (*sums)(const T* x, std::int64_t rows, std::int64_t channels, double* sum, double* square);
  /// y = act(scale x + shift [+ residual]); [relu][residual]
  void (*normalize[2][2])(const T* x, const U* residual, const float* scale, const float* shift, U* y,
                          std::int64_t rows, std::int64_t channels);
  /// Adds dz and dz (x - mean), where dz is dy behind a ReLU that is found from x; [relu]
  void (*grad_sums[2])(const T* x, const U* dy, const float* mean, const float* scale, const float* shift,
                       std::int64_t rows, std::int64_t channels, float* sum, float* dot);
  /// The same where the ReLU is found from y, and dz replaces dy; [relu][extra]
  void (*masked_grad_sums[2][2])(const T* x, const U* y, U* dy, const U* extra, const float* mean, std::int64_t rows,
                                 std::int64_t channels, float* sum, float* dot);
  /// dx = a dz + b x + d; [mask dy by a ReLU that is found from x]
  void (*grad_input[2])(const T* x, const U* dy, const float* scale, const float* shift, const float* a, const float* b,
                        const float* d, T* dx, std::int64_t rows, std::int64_t channels);
};

template <class T>
struct PoolKernels {
  void (*max_row)(const MaxPoolDesc& d, const T* image, std::int64_t p, T* y, std::uint8_t* argmax);
  void (*max_grad_row)(const MaxPoolDesc& d, const T* dy, const std::uint8_t* argmax, std::int64_t h, T* dx);
};

struct RowKernels {
  NormKernels<float, float> norm_f32_f32;
  NormKernels<float, BFloat16> norm_f32_bf16;
  NormKernels<BFloat16, float> norm_bf16_f32;
  NormKernels<BFloat16, BFloat16> norm_bf16_bf16;
  PoolKernels<float> pool_f32;
  PoolKernels<BFloat16> pool_bf16;

  template <class T, class U>
  const NormKernels<T, U>& norm() const {
    constexpr bool kFromF32 = std::is_same_v<T, float>, kToF32 = std::is_same_v<U, float>;
    if constexpr (kFromF32 && kToF32) return norm_f32_f32;
    if constexpr (kFromF32 && !kToF32) return norm_f32_bf16;
    if constexpr (!kFromF32 && kToF32) return norm_bf16_f32;
    if constexpr (!kFromF32 && !kToF32) return norm_bf16_bf16;
  }
  template <class T>
  const PoolKernels<T>& pool() const {
    if constexpr (std::is_same_v<T, float>) {
      return pool_f32;
    } else {
      return pool_bf16;
    }
  }
};

/// Those of the widest vectors that this machine has.
const RowKernels& row_kernels();

}  // namespace barlow::cpu
