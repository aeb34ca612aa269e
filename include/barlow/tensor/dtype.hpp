// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace barlow {

/// Element types. Activations and the weights' compute copy are kF32, kBF16 or kF16; master weights, gradients,
/// momentum and statistics are kF32; sums that ranks exchange are kF64.
enum class DType : std::uint8_t { kF32, kBF16, kF16, kF64, kU8, kI64 };

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 4;
    case DType::kBF16:
    case DType::kF16:
      return 2;
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kU8:
      return 1;
  }
  return 0;
}

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "fp32";
    case DType::kBF16:
      return "bf16";
    case DType::kF16:
      return "fp16";
    case DType::kF64:
      return "fp64";
    case DType::kU8:
      return "u8";
    case DType::kI64:
      return "i64";
  }
  return "?";
}

}  // namespace barlow
