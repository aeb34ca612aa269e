// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/error.hpp"
#include "memory_plan.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;

namespace {

constexpr int kRanks = 2;

PretrainConfig small_network() {
  PretrainConfig config;
  config.architecture = "resnet18";
  config.image_size = 32;
  config.projector = "64-64";
  config.batch_size = 96;
  return config;
}

StepOptions options_of(std::int64_t local_batch) {
  return {.dtype = DType::kBF16, .local_batch = local_batch, .lars = {}, .loss = {.divisor = local_batch * kRanks}};
}

std::size_t wanted_by(std::int64_t local_batch) {
  return TrainingStep::measure(small_network(), options_of(local_batch), kRanks).total_bytes();
}

MemoryPlan plan_of(std::int64_t local_batch) {
  MemoryPlan plan;
  plan.step = TrainingStep::measure(small_network(), options_of(local_batch), kRanks);
  return plan;
}

std::string check(FreeMemory free) { return check_memory(small_network(), options_of(48), plan_of(48), kRanks, free); }

}  // namespace

TEST_CASE("the largest batch that fits is found by halving") {
  const auto wanted = [](std::int64_t local_batch) { return static_cast<std::size_t>(100 + 10 * local_batch); };
  CHECK(largest_fit(wanted, 1000, {.bytes = 100 + 10 * 1}) == 1);
  CHECK(largest_fit(wanted, 1000, {.bytes = 100 + 10 * 1 - 1}) == 0);
  for (const std::int64_t batch : {2, 3, 499, 500, 998}) {
    const auto enough = static_cast<std::size_t>(100 + 10 * batch);
    CHECK(largest_fit(wanted, 1000, {.bytes = enough}) == batch);
    CHECK(largest_fit(wanted, 1000, {.bytes = enough + 9}) == batch);
    CHECK(largest_fit(wanted, 1000, {.bytes = enough + 70, .libraries_bytes = 70}) == batch);
  }
  CHECK(largest_fit(wanted, 1000, {.bytes = 50, .libraries_bytes = 70}) == 0);
}

TEST_CASE("a step that fits is let through, one that hardly does with a warning") {
  const std::size_t wanted = wanted_by(48), libraries = 1 << 20;
  CHECK(check({.bytes = wanted + libraries, .libraries_bytes = libraries}).empty());
  CHECK_THAT(check({.bytes = wanted + libraries - 1, .libraries_bytes = libraries}),
             contains("--batch-size 96") && contains("would fit on 2 ranks"));
}

TEST_CASE("a step that does not fit is refused with the largest batch that does") {
  const std::size_t free = wanted_by(20) + 1000, libraries = 1000;
  CHECK(wanted_by(21) > free - libraries);
  try {
    check({.bytes = free, .libraries_bytes = libraries});
    FAIL("nothing was thrown");
  } catch (const ConfigError& error) {
    CHECK_THAT(error.what(), contains("--batch-size 40 would fit on 2 ranks"));
  }
  CHECK_THROWS_WITH(check({.bytes = 1000, .libraries_bytes = 0}), contains("no batch would fit"));
}
