// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "barlow/train/batch_order.hpp"
#include "barlow/train/nonfinite.hpp"
#include "small_run.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;
using barlow::testing::SmallRun;

namespace {
constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
}

TEST_CASE("a skipped batch is passed over and the next takes its place") {
  const BatchOrder all({});
  CHECK(all.batch_of(0) == 0);
  CHECK(all.batch_of(41) == 41);
  CHECK_FALSE(all.skips(3));

  const BatchOrder order({4, 2, 3, 9});  // in the order of the rollbacks
  std::vector<std::int64_t> batches;
  for (std::int64_t step = 0; step < 8; ++step) {
    batches.push_back(order.batch_of(step));
    CHECK_FALSE(order.skips(batches.back()));
  }
  CHECK(batches == std::vector<std::int64_t>{0, 1, 5, 6, 7, 8, 10, 11});
  CHECK(order.skips(2));
  CHECK(order.skips(9));
}

TEST_CASE("statistics are those of the finite values") {
  const std::vector<float> values = {kNan, 3, -1, kInf, 4, -kInf};
  const TensorStatistics s = statistics_of(values);
  CHECK(s.count == 6);
  CHECK(s.non_finite == 3);
  CHECK(s.min == -1);
  CHECK(s.max == 4);
  CHECK(s.mean == Approx(2));
  CHECK(statistics_of(std::vector<float>{kNan}).max == 0);
}

TEST_CASE("the first tensor that is not finite, in the order of the step") {
  SmallRun run;
  run.set(1);
  run.backend->fill_zero(run.store.gradients());
  TrainingStep::Result result{1, 1, std::nullopt};
  const auto first = [&] { return first_non_finite(result, run.store, *run.backend); };
  CHECK(first().empty());
  result.non_finite = "backbone.bn1.weight";
  CHECK(first() == "the norm of backbone.bn1.weight, weights or gradient (values too large to square)");
  run.store.gradient(0).as<float>()[5] = kNan;
  CHECK(first() == "the gradient of backbone.conv1.weight");
  run.store.gradient(2).as<float>()[0] = kInf;  // backward starts with the last layer
  CHECK(first() == "the gradient of projector.0.weight");
  result.off_diagonal = kInf;
  CHECK(first() == "the loss (off_diagonal)");
  run.store.buffer(0).as<float>()[1] = kNan;
  CHECK(first() == "the input of the norm backbone.bn1 (activations)");
  run.store.value(2).as<float>()[3] = -kInf;
  CHECK(first() == "the weights projector.0.weight");
  CHECK(non_finite_name(120, 0) == "nonfinite-step-000120.json");
  CHECK(non_finite_name(120, 2) == "nonfinite-step-000120-rollback-2.json");
}
