// SPDX-License-Identifier: Apache-2.0
#include <new>
#include <numeric>
#include <system_error>
#include <vector>

#include "barlow/backend/make_backend.hpp"
#include "barlow/comm/agreement.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/optim/gradient_reducer.hpp"
#include "comm/staged_collectives.hpp"
#include "support/catch.hpp"
#include "support/mpi_require.hpp"

using namespace barlow;

namespace {

/// Sum over ranks r of (r + 1).
float sum_of_ranks() {
  const auto W = static_cast<float>(test_session().world_size());
  return W * (W + 1) / 2;
}

/// Directly, and as for a device's memory: through copies, for which the processor's memory serves here.
std::unique_ptr<Collectives> collectives_under_test(bool staged) {
  static const std::unique_ptr<Backend> backend = make_backend({.device = "cpu", .num_threads = 1});
  auto direct = make_collectives(test_session());
  if (!staged) return direct;
  return std::make_unique<StagedCollectives>(std::move(direct), *backend);
}

}  // namespace

TEST_CASE("sums, gathers and broadcasts") {
  const MpiSession& session = test_session();
  const auto collectives = collectives_under_test(GENERATE(false, true));
  const auto mine = static_cast<float>(session.rank() + 1);

  std::vector<float> values(1000, mine);
  collectives->all_reduce_sum(TensorView(values.data(), DType::kF32, {1000}));
  CHECK(values == std::vector<float>(1000, sum_of_ranks()));

  std::vector<double> doubles(3, mine);
  collectives->all_reduce_sum(TensorView(doubles.data(), DType::kF64, {3}));
  CHECK(doubles == std::vector<double>(3, sum_of_ranks()));

  const std::vector<float> local = {mine, -mine};
  std::vector<float> gathered(2 * static_cast<std::size_t>(session.world_size()));
  collectives->all_gather(ConstTensorView(local.data(), DType::kF32, {2}),
                          TensorView(gathered.data(), DType::kF32, {static_cast<std::int64_t>(gathered.size())}));
  for (std::size_t rank = 0; rank < gathered.size() / 2; ++rank) {
    CHECK(gathered[2 * rank] == static_cast<float>(rank + 1));
    CHECK(gathered[2 * rank + 1] == -static_cast<float>(rank + 1));
  }

  std::vector<float> in_place(static_cast<std::size_t>(2 * session.world_size()));
  const TensorView whole(in_place.data(), DType::kF32, {session.world_size(), 2});
  const TensorView own = whole.slice(session.rank(), 1);
  own.as<float>()[0] = mine;
  own.as<float>()[1] = -mine;
  collectives->all_gather(own, whole);
  CHECK(in_place == gathered);

  std::vector<float> root(5, mine);
  collectives->broadcast(TensorView(root.data(), DType::kF32, {5}));
  CHECK(root == std::vector<float>(5, 1.0F));
}

TEST_CASE("the reducer sums every gradient once, however it is cut") {
  const MpiSession& session = test_session();
  const auto collectives = collectives_under_test(GENERATE(false, true));
  const std::int64_t bucket_bytes = GENERATE(4, 64, 1 << 20);
  nn::ParameterLayout layout;
  layout.add("convolution", nn::ParameterKind::kConvolution, {3, 3, 3, 5});
  layout.add("linear", nn::ParameterKind::kLinear, {12 * session.world_size(), 9});
  layout.add("shift", nn::ParameterKind::kNormShift, {12});
  const bool is_sharded = GENERATE(false, true) && session.world_size() > 1;
  if (is_sharded) layout.shard_linear_layers(session.rank(), session.world_size(), 1, DType::kBF16);
  const nn::Parameter& linear = layout.parameters()[1];
  REQUIRE(linear.is_sharded() == is_sharded);
  const auto stays = [&](std::int64_t i) {
    return is_sharded && i >= linear.offset && i < linear.offset + linear.shape.num_elements();
  };
  const std::int64_t count = layout.parameter_elements();
  std::vector<float> gradients(static_cast<std::size_t>(count));
  optim::GradientReducer reducer(*collectives, layout, TensorView(gradients.data(), DType::kF32, {count}),
                                 bucket_bytes);
  for (int step = 0; step < 2; ++step) {
    for (std::size_t i = 0; i < gradients.size(); ++i)
      gradients[i] = static_cast<float>(session.rank() + 1) * static_cast<float>(i);
    for (const std::int64_t from_end : {10, 200, 201, 260}) reducer.complete_from(count - from_end);
    reducer.finish();
    for (std::int64_t i = 0; i < count; ++i) {
      const float factor = stays(i) ? static_cast<float>(session.rank() + 1) : sum_of_ranks();
      REQUIRE(gradients[static_cast<std::size_t>(i)] == factor * static_cast<float>(i));
    }
  }
}

TEST_CASE("an error of one rank is thrown by all") {
  const MpiSession& session = test_session();
  CHECK(collectively(session, [] { return 7; }) == 7);
  const int failing = session.world_size() - 1;
  try {
    collectively(session, [&] {
      if (session.rank() == failing) throw DataError("the file is bad");
    });
    FAIL("nothing was thrown");
  } catch (const AgreedError& error) {
    CHECK(error.exit_code() == kExitRefused);
    CHECK_THAT(error.what(), contains("the file is bad"));
    if (session.world_size() > 1) CHECK_THAT(error.what(), contains("rank " + std::to_string(failing)));
  }
}

TEST_CASE("an error of the standard library says what there was too little of") {
  CHECK(message_of(std::bad_alloc()) == "out of memory");
  const auto no_thread = std::make_error_code(std::errc::resource_unavailable_try_again);
  CHECK_THAT(message_of(std::system_error(no_thread)), contains("cannot start a thread") && contains("ulimit -u"));
  CHECK(message_of(DataError("the file is bad")) == "the file is bad");
}

TEST_CASE("ranks that were told other things than rank 0 are refused, by the first that differs") {
  const MpiSession& session = test_session();
  const bool odd = session.rank() == session.world_size() - 1 && session.rank() > 0;
  CHECK_NOTHROW(require_same(session, {{"--seed", "7"}, {"--projector", "\"\""}}));
  const auto refusal = [&](const std::vector<Fact>& facts) -> std::string {
    try {
      require_same(session, facts);
    } catch (const AgreedError& error) {
      CHECK(error.exit_code() == kExitRefused);
      return error.what();
    }
    return "";
  };
  const std::string message = refusal({{"--seed", "7"}, {"--epochs", odd ? "30" : "3"}, {"--k", odd ? "9" : "8"}});
  std::vector<Fact> facts = {{"the protocol", odd ? "knn" : "all"}};
  if (odd) facts.insert(facts.end(), {{"--k", ""}, {"--k", ""}});  // another number of them
  const std::string other_count = refusal(facts);
  if (session.world_size() == 1) return;
  CHECK_THAT(message, contains("--epochs is 30, but 3 on rank 0"));
  CHECK_THAT(message, contains("[rank " + std::to_string(session.world_size() - 1) + " of "));
  CHECK_THAT(other_count, contains("the protocol is knn, but all on rank 0"));
}
