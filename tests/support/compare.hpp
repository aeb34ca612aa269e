// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "barlow/backend/backend.hpp"

namespace barlow::testing {

using Values = std::vector<double>;

/// Normally distributed numbers, a pure function of the seed.
Values random_values(std::int64_t count, std::uint64_t seed);
/// As an element of that type holds them (round to nearest even).
Values rounded(Values values, DType dtype);

/// Device memory with a shape, read and written through doubles.
class DeviceTensor {
 public:
  DeviceTensor() = default;
  /// Every byte 0xFF, a NaN in each floating type: an element that an operation forgets to write shows.
  DeviceTensor(Backend& backend, DType dtype, const Shape& shape);
  DeviceTensor(Backend& backend, DType dtype, const Shape& shape, const Values& values);

  operator TensorView() const { return view_; }       // NOLINT: used wherever a tensor is
  operator ConstTensorView() const { return view_; }  // NOLINT
  Values values() const;
  /// For comparisons bit by bit.
  std::vector<std::byte> bytes() const;

 private:
  Backend* backend_ = nullptr;
  Buffer memory_;
  TensorView view_;
};

/// Sum of squared differences over sum of squares expected; NaN where either holds one.
double nmse(const Values& actual, const Values& expected);

}  // namespace barlow::testing
