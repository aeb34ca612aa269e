// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <vector>

#include "barlow/backend/make_backend.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/nn/layers.hpp"
#include "barlow/optim/gather_shards.hpp"
#include "barlow/optim/gradient_reducer.hpp"
#include "barlow/optim/lars.hpp"
#include "support/catch.hpp"
#include "support/mpi_require.hpp"

using namespace barlow;

namespace {

constexpr std::int64_t kIn = 10, kOut = 24, kBatch = 12;
constexpr float kWeightDecay = 0.01F;

/// Numbers that every rank knows, between -0.5 and 0.5.
std::vector<float> numbers(std::int64_t count, std::int64_t seed) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>((i * 37 + seed * 101) % 64) / 64 - 0.5F);
  return values;
}

std::vector<float> to_host(Backend& backend, ConstTensorView device) {
  std::vector<float> host(static_cast<std::size_t>(device.num_elements()));
  backend.copy_to_host(device, TensorView(host.data(), DType::kF32, device.shape));
  return host;
}

struct Result {
  std::vector<float> gradient, value, momentum, computed;  ///< of the weight, whole
  std::vector<float> before;                               ///< the value that the last step began with
  double gradient_norm;
};

/// Two steps of a linear layer on all ranks, each with its part of the batch.
Result train(DType dtype, bool is_sharded) {
  const MpiSession& session = test_session();
  const auto backend = make_backend({.device = "cpu", .num_threads = 1});
  const auto collectives = make_collectives(session);
  nn::ParameterLayout layout;
  layout.add("before", nn::ParameterKind::kNormScale, {7});
  const nn::Linear linear(layout, "linear", kIn, kOut);
  layout.add("after", nn::ParameterKind::kNormShift, {5});
  if (is_sharded) layout.shard_linear_layers(session.rank(), session.world_size(), 1, dtype);
  constexpr int kWeight = 1;
  REQUIRE(layout.parameters()[kWeight].is_sharded() == (is_sharded && session.world_size() > 1));

  nn::ParameterStore store(layout, *backend, dtype, true);
  const auto initial = numbers(kOut * kIn, 1);
  backend->copy_to_device(ConstTensorView(initial.data(), DType::kF32, {kOut, kIn}), store.value(kWeight));
  store.refresh_compute_copy();
  optim::GradientReducer reducer(*collectives, store.layout(), store.gradients());
  optim::Lars lars(store, *backend, *collectives, {.weight_decay = kWeightDecay});

  std::vector<float> before;
  for (int step = 0; step < 2; ++step) {
    before = to_host(*backend, store.value(kWeight));
    Arena arena(backend->allocate(std::size_t{1} << 20));
    nn::Pass pass{
        .backend = *backend, .collectives = *collectives, .arena = arena, .parameters = store, .listener = &reducer};
    const std::int64_t b = kBatch / session.world_size();
    const auto own_part = [&](std::int64_t columns, std::int64_t seed) {
      const auto all = numbers(kBatch * columns, seed);
      const Activation floats = pass.allocate(DType::kF32, {b, columns});
      backend->copy_to_device(ConstTensorView(all.data() + session.rank() * b * columns, DType::kF32, {b, columns}),
                              floats);
      Activation local = pass.allocate({b, columns});
      backend->cast(floats, local);
      return local;
    };
    reducer.start();
    const Activation y = linear.forward(pass, own_part(kIn, 2 + step));
    const Activation dx = linear.backward(pass, own_part(kOut, 7 + step));
    reducer.finish();
    REQUIRE_FALSE(lars.measure());
    lars.step({0.5, 0.1});
  }
  for (const TensorView flat : {store.values(), store.gradients(), store.momentum()})
    optim::gather_shards(store.layout(), flat, *collectives);
  const nn::Parameter& weight = store.layout().parameters()[kWeight];
  Result result{to_host(*backend, store.gradient(kWeight)),
                to_host(*backend, store.value(kWeight)),
                to_host(*backend, store.momentum().slice(weight.offset, kOut * kIn)),
                {},
                before,
                lars.gradient_norm()};
  const Buffer memory = backend->allocate(kOut * kIn * sizeof(float));
  const TensorView floats(memory.data(), DType::kF32, {kOut, kIn});
  backend->cast(store.compute(kWeight), floats);
  result.computed = to_host(*backend, floats);
  return result;
}

void require_close(const std::vector<float>& actual, const std::vector<float>& expected, double tolerance) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  CHECK(std::sqrt(error) <= tolerance * std::sqrt(norm));
}

}  // namespace

TEST_CASE("a sharded linear layer is trained as a whole one is") {
  const DType dtype = GENERATE(DType::kF32, DType::kBF16);
  if (!make_backend({.device = "cpu"})->supports(dtype)) return;  // bf16 without AVX-512
  const Result sharded = train(dtype, true), whole = train(dtype, false);

  const auto x = numbers(kBatch * kIn, 3), dy = numbers(kBatch * kOut, 8);  // exact in bf16
  std::vector<float> expected;
  for (std::int64_t o = 0; o < kOut; ++o) {
    for (std::int64_t i = 0; i < kIn; ++i) {
      double sum = 0;
      for (std::int64_t n = 0; n < kBatch; ++n) {
        sum += static_cast<double>(dy[static_cast<std::size_t>(n * kOut + o)]) *
               static_cast<double>(x[static_cast<std::size_t>(n * kIn + i)]);
      }
      expected.push_back(static_cast<float>(sum));
    }
  }
  require_close(sharded.gradient, expected, 1e-6);
  require_close(sharded.value, whole.value, 1e-6);
  require_close(sharded.momentum, whole.momentum, 1e-6);
  require_close(sharded.computed, sharded.value, dtype == DType::kF32 ? 0 : 4e-3);
  CHECK(sharded.gradient_norm == Approx(whole.gradient_norm).epsilon(1e-6));
  double squares = 0;  // of the weight's gradient: the other tensors have none
  for (std::size_t i = 0; i < whole.gradient.size(); ++i)
    squares += std::pow(whole.gradient[i] + kWeightDecay * whole.before[i], 2);
  CHECK(whole.gradient_norm == Approx(std::sqrt(squares)).epsilon(1e-5));
}

TEST_CASE("a value or a gradient that is not finite is named") {
  const auto backend = make_backend({.device = "cpu", .num_threads = 1});
  const auto collectives = make_collectives(test_session());
  nn::ParameterLayout layout;
  layout.add("fine", nn::ParameterKind::kNormScale, {4});
  layout.add("bad", nn::ParameterKind::kNormShift, {4});
  nn::ParameterStore store(layout, *backend, DType::kF32, true);
  for (const TensorView flat : {store.values(), store.gradients()}) backend->fill_zero(flat);
  optim::Lars lars(store, *backend, *collectives, {});
  REQUIRE_FALSE(lars.measure());
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const std::vector<float> numbers = {1, bad, 1, 1};
    for (const TensorView tensor : {store.value(1), store.gradient(1)}) {
      backend->copy_to_device(ConstTensorView(numbers.data(), DType::kF32, {4}), tensor);
      CHECK(lars.measure() == "bad");
      backend->fill_zero(tensor);
    }
  }
}

TEST_CASE("a weight is sharded where that moves less than a sum of its gradients") {
  const auto is_sharded = [](std::int64_t rows, DType dtype, int world_size) {
    nn::ParameterLayout layout;
    const nn::Linear linear(layout, "linear", 8192, 8192);
    layout.shard_linear_layers(0, world_size, rows, dtype);
    return layout.parameters()[0].is_sharded();
  };
  CHECK(is_sharded(4096, DType::kBF16, 64));
  CHECK(is_sharded(12287, DType::kBF16, 2));
  CHECK_FALSE(is_sharded(12288, DType::kBF16, 2));
  CHECK(is_sharded(4095, DType::kF32, 2));
  CHECK_FALSE(is_sharded(4096, DType::kF32, 2));
  CHECK_FALSE(is_sharded(64, DType::kF32, 1));
  CHECK_FALSE(is_sharded(64, DType::kF32, 3));  // 8192 rows do not go into 3
}
