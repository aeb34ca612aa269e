// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "barlow/base/multiversion.hpp"
#include "barlow/tensor/view.hpp"

namespace barlow::cpu {

/// A bf16 number in memory.
struct BFloat16 {
  std::uint16_t bits;
};

[[gnu::always_inline]] inline float to_float(float x) { return x; }
[[gnu::always_inline]] inline float to_float(BFloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

/// Round to nearest even; a NaN stays one.
[[gnu::always_inline]] inline BFloat16 to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return {static_cast<std::uint16_t>(is_nan ? (bits >> 16) | 0x40U : rounded)};
}

[[gnu::always_inline]] inline void store(float& to, float value) { to = value; }
[[gnu::always_inline]] inline void store(BFloat16& to, float value) { to = to_bfloat16(value); }

/// Calls f with a value of the element type: with_element(x.dtype, [&](auto zero) { using T = decltype(zero); ... }).
template <class F>
void with_element(DType dtype, F&& f) {
  if (dtype == DType::kF32) {
    f(float{});
  } else if (dtype == DType::kBF16) {
    f(BFloat16{});
  } else {
    throw ShapeError(std::string("the CPU backend does not compute in ") + name_of(dtype));
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

}  // namespace barlow::cpu
