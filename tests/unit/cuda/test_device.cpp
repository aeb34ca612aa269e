// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/device.hpp"
#include "barlow/base/error.hpp"
#include "support/catch.hpp"

using namespace barlow;
using cuda::Devices;
using cuda::Obstacle;

TEST_CASE("ranks of a host take the devices in turn") {
  const Devices devices{4, Obstacle::kNone, "13.0"};
  CHECK(cuda::choose_device(devices, 0) == 0);
  CHECK(cuda::choose_device(devices, 3) == 3);
  CHECK(cuda::choose_device(Devices{1, Obstacle::kNone, "13.0"}, 3) == 0);  // the launcher shows each rank its own
}

TEST_CASE("what is missing is named with its remedy") {
  for (const Obstacle obstacle : {Obstacle::kNoDriver, Obstacle::kOldDriver, Obstacle::kNoDevice}) {
    CHECK_THROWS_AS(cuda::choose_device(Devices{0, obstacle, "12.2"}, 0), ConfigError);
    CHECK_THROWS_WITH(cuda::choose_device(Devices{0, obstacle, "12.2"}, 0), contains("--device cpu"));
  }
  CHECK_THROWS_WITH(cuda::choose_device(Devices{0, Obstacle::kOldDriver, "12.2"}, 0), contains("up to 12.2"));
  CHECK_THROWS_WITH(cuda::choose_device(Devices{0, Obstacle::kNoDevice, "13.0", "system not yet initialized"}, 0),
                    contains("system not yet initialized"));
}
