// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_RUNNER
#include <cstdio>

#include "barlow/base/error.hpp"
#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"

/// The tests of a device; exit code 77, skipped, with the reason, where there is none.
int main(int argc, char** argv) {
  if (barlow::testing::device_under_test() != "cpu") {
    try {
      barlow::testing::backend_under_test();
    } catch (const barlow::ConfigError& error) {
      std::printf("skipped: %s\n", error.what());
      return 77;
    }
  }
  return Catch::Session().run(argc, argv);
}
