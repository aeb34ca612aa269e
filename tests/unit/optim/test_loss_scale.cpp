// SPDX-License-Identifier: Apache-2.0
#include "barlow/optim/loss_scale.hpp"
#include "support/catch.hpp"

using barlow::optim::LossScale;

TEST_CASE("overflow halves the loss scale, a long steady run doubles it") {
  LossScale scale{.value = 1024};
  CHECK(scale.update(true));
  CHECK(scale.value == 512);
  for (std::int64_t i = 1; i < LossScale::kGrowthSteps; ++i) CHECK(scale.update(false));
  CHECK(scale.value == 512);
  CHECK(scale.update(false));
  CHECK(scale.value == 1024);
  CHECK(scale.steady_steps == 0);
}

TEST_CASE("an overflow starts the count of steady steps again") {
  LossScale scale{.value = 8, .steady_steps = LossScale::kGrowthSteps - 1};
  CHECK(scale.update(true));
  CHECK(scale.update(false));
  CHECK(scale.value == 4);
}

TEST_CASE("what overflows unscaled is not finite, and growth has an end") {
  LossScale scale{.value = 1};
  CHECK_FALSE(scale.update(true));
  scale = {.value = LossScale::kLargest, .steady_steps = LossScale::kGrowthSteps - 1};
  CHECK(scale.update(false));
  CHECK(scale.value == LossScale::kLargest);
}
