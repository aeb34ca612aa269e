// SPDX-License-Identifier: Apache-2.0
#include "barlow/optim/schedule.hpp"
#include "support/catch.hpp"

using barlow::optim::Schedule;

TEST_CASE("the schedule of the original at batch 2048") {
  const std::int64_t per_epoch = 625;
  const Schedule schedule({0.2, 0.0048}, 2048, 10 * per_epoch, 1000 * per_epoch);
  CHECK(schedule.at(0).weights == 0);
  CHECK(schedule.at(0).biases == 0);
  CHECK(schedule.at(5 * per_epoch).weights == Approx(0.8));
  CHECK(schedule.at(10 * per_epoch).weights == Approx(1.6));
  CHECK(schedule.at(10 * per_epoch).biases == Approx(0.0384));
  // Half way down the cosine: q = 0.5.
  CHECK(schedule.at(505 * per_epoch).weights == Approx(0.5 * 1.6 + 0.001 * 1.6 * 0.5));
  CHECK(schedule.at(1000 * per_epoch).weights == Approx(0.0016));
}

TEST_CASE("no warm-up, and a run that ends within it") {
  CHECK(Schedule({0.2, 0.1}, 256, 0, 10).at(0).weights == Approx(0.2));
  CHECK(Schedule({0.2, 0.1}, 256, 100, 10).at(9).weights == Approx(0.2 * 9 / 100));
}
