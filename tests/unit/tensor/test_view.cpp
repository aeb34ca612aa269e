// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "barlow/tensor/view.hpp"
#include "support/catch.hpp"

using namespace barlow;

TEST_CASE("slices and reshapes are windows on the same memory") {
  std::array<float, 12> memory{};
  const TensorView x(memory.data(), DType::kF32, {4, 3});
  CHECK(x.slice(1, 2).data == memory.data() + 3);
  CHECK(x.slice(1, 2).shape == Shape{2, 3});
  CHECK(x.reshaped({2, 6}).data == memory.data());
  CHECK(x.as<float>() == memory.data());
  CHECK_THROWS_AS(x.slice(3, 2), ShapeError);
  CHECK_THROWS_AS(x.reshaped({5}), ShapeError);
  CHECK_THROWS_AS(x.as<double>(), ShapeError);
}
