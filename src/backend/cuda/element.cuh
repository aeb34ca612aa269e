// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <string>

#include "access.hpp"
#include "barlow/tensor/view.hpp"

/// Element types in kernels: f32 arithmetic on f32, bf16 or f16 memory, 16 bytes per access where channels allow it.
namespace barlow::cuda {

__host__ __device__ inline float to_float(float x) { return x; }
__host__ __device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__host__ __device__ inline float to_float(__half x) { return __half2float(x); }

/// Round to nearest even; a NaN stays one.
template <class T>
__host__ __device__ inline T from_float(float x);
template <>
__host__ __device__ inline float from_float<float>(float x) {
  return x;
}
template <>
__host__ __device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
__host__ __device__ inline __half from_float<__half>(float x) {
  return __float2half_rn(x);
}

/// N neighbouring elements, read and written at once.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

template <int N, class T>
__device__ inline Pack<T, N> load(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}
template <class T, int N>
__device__ inline void save(T* to, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

/// Calls f with a value of the element type: with_element(x.dtype, [&](auto zero) { using T = decltype(zero); ... }).
template <class F>
void with_element(DType dtype, F&& f) {
  if (dtype == DType::kF32) {
    f(float{});
  } else if (dtype == DType::kBF16) {
    f(__nv_bfloat16{});
  } else if (dtype == DType::kF16) {
    f(__half{});
  } else {
    throw ShapeError(std::string("a GPU does not compute in ") + name_of(dtype));
  }
}

/// Calls f with access_width() as a type.
template <class F>
void with_width(std::int64_t extent, std::size_t element_bytes, std::initializer_list<ConstTensorView> tensors, F&& f) {
  switch (access_width(extent, element_bytes, tensors)) {
    case 8:
      return f(std::integral_constant<int, 8>{});
    case 4:
      return f(std::integral_constant<int, 4>{});
    default:
      return f(std::integral_constant<int, 1>{});
  }
}

template <class T>
const T* data_of(ConstTensorView x) {
  return static_cast<const T*>(x.data);
}
template <class T>
T* data_of(TensorView x) {
  return static_cast<T*>(x.data);
}

}  // namespace barlow::cuda
