// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "barlow/comm/watchdog.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace std::chrono_literals;

namespace {

struct Bark {
  std::string operation;
  double silent_s;
};

/// A watchdog whose bark can be waited for.
struct Kennel {
  std::promise<Bark> promise;
  std::future<Bark> bark = promise.get_future();
  Watchdog::OnHang on_hang = [this](const char* operation, double silent_s) {
    promise.set_value({operation, silent_s});
  };
  bool barked_within(std::chrono::milliseconds time) { return bark.wait_for(time) == std::future_status::ready; }
};

}  // namespace

TEST_CASE("a watchdog names the operation that does not end") {
  Kennel kennel;
  Watchdog watchdog(0.2, kennel.on_hang);
  watchdog.enter("first");
  watchdog.enter("second");
  REQUIRE(kennel.barked_within(20s));
  const Bark bark = kennel.bark.get();
  CHECK(bark.operation == "second");
  CHECK(bark.silent_s >= 0.2);
}

TEST_CASE("a watchdog is quiet while operations begin") {
  Kennel kennel;
  Watchdog watchdog(5, kennel.on_hang);
  for (int i = 0; i < 60; ++i) {
    watchdog.enter("step");
    std::this_thread::sleep_for(100ms);
  }
  CHECK_FALSE(kennel.barked_within(0ms));
}

TEST_CASE("without a timeout, and after its end, a watchdog is silent") {
  Kennel off, ended;
  Watchdog never(0, off.on_hang);
  { Watchdog watchdog(1000, ended.on_hang); }
  CHECK_FALSE(off.barked_within(300ms));
  CHECK_FALSE(ended.barked_within(0ms));
}
