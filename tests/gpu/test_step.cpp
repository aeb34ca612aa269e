// SPDX-License-Identifier: Apache-2.0
// Ten steps of a ResNet on the GPUs of all ranks, against ten steps of one rank's processor on the same images: loss
// and weights agree as rounding lets them; and fp16's loss scale. BARLOW_TEST_COLLECTIVES chooses nccl or mpi; ranks
// may share a GPU.
#include <cmath>
#include <cstdlib>

#include "barlow/base/random.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/train/training_step.hpp"
#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"
#include "support/mpi_require.hpp"

using namespace barlow;

namespace {

constexpr std::int64_t kBatch = 16, kSize = 64;
constexpr int kSteps = 10;
// Rounding grows from step to step, and faster the longer they are: in ResNet-50 on two ranks' processors from 1e-9 to
// 1e-5 in ten steps at ten times these rates, and to 1e-6 at these, while the weights move by 1e-3.
constexpr optim::Schedule::Rates kRates{0.02, 0.0005};

train::PretrainConfig small_network(const std::string& architecture) {
  train::PretrainConfig config;
  config.architecture = architecture;
  config.image_size = kSize;
  config.projector = "256-256";
  config.batch_size = kBatch;
  return config;
}

std::vector<std::uint8_t> random_pixels() {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(2 * kBatch * kSize * kSize * 3));
  RandomStream random(7, RandomStream::Purpose::kSynthetic, 0);
  for (auto& value : pixels) value = static_cast<std::uint8_t>(random.next_u32() >> 24);
  return pixels;
}

/// Rows [first, first + count) of both views.
std::vector<std::uint8_t> share_of(const std::vector<std::uint8_t>& pixels, std::int64_t first, std::int64_t count) {
  const std::int64_t image = kSize * kSize * 3;
  std::vector<std::uint8_t> share;
  for (std::int64_t view = 0; view < 2; ++view) {
    const auto begin = pixels.begin() + (view * kBatch + first) * image;
    share.insert(share.end(), begin, begin + count * image);
  }
  return share;
}

struct Trajectory {
  std::vector<double> losses;
  std::vector<float> first, values;  ///< after the first step and after the last
};

/// This rank's part of a training on the same images in every step.
struct Training {
  Backend& backend;
  std::int64_t local;  ///< images of this rank
  train::TrainingStep step;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> ids;

  Training(Backend& device, Collectives& collectives, const train::PretrainConfig& config, DType dtype)
      : backend(device),
        local(kBatch / collectives.world_size()),
        step(config,
             {.dtype = dtype,
              .local_batch = local,
              .lars = {},
              .loss = {.gradient_scale = 1.0F / 16, .divisor = kBatch}},
             device, collectives),
        pixels(share_of(random_pixels(), collectives.rank() * local, local)),
        ids(static_cast<std::size_t>(local)) {
    nn::initialize(step.store(), backend, 3);
  }
  train::TrainingStep::Result run() {
    return step.run({ConstTensorView(pixels.data(), DType::kU8, {2, local, kSize, kSize, 3}), ids}, kRates, nullptr);
  }
  std::vector<float> values() {
    const TensorView values = step.gather_state().values();
    std::vector<float> copy(static_cast<std::size_t>(values.num_elements()));
    backend.copy_to_host(values, TensorView(copy.data(), DType::kF32, values.shape));
    return copy;
  }
};

Trajectory run(Backend& backend, Collectives& collectives, const train::PretrainConfig& config, DType dtype) {
  Training training(backend, collectives, config, dtype);
  Trajectory result;
  for (int i = 0; i < kSteps; ++i) {
    const auto done = training.run();
    REQUIRE_FALSE(done.non_finite);
    result.losses.push_back(done.on_diagonal + done.off_diagonal);
    if (i == 0) result.first = training.values();
  }
  result.values = training.values();
  return result;
}

/// Norm of the difference over the norm.
double difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double d = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    error += d * d;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return std::sqrt(error / norm);
}

std::string collectives_under_test() {
  const char* kind = std::getenv("BARLOW_TEST_COLLECTIVES");
  return kind == nullptr ? "auto" : kind;
}

/// Ranks that share a GPU take turns: a search of plans, 40 runs for each convolution, would take most of the time.
std::unique_ptr<Backend> device_of(const MpiSession& session) {
  return make_backend({.device = testing::device_under_test(),
                       .local_rank = session.local_rank(),
                       .local_size = session.local_size(),
                       .deterministic = session.world_size() > 1});
}

}  // namespace

TEST_CASE("ten steps on GPUs are ten steps on a processor") {
  const MpiSession& session = test_session();
  const std::string architecture = GENERATE("resnet18", "resnet50");
  const train::PretrainConfig config = small_network(architecture);
  const auto processor = make_backend({.device = "cpu", .num_threads = 1});
  const auto alone = make_self_collectives();
  const Trajectory expected = run(*processor, *alone, config, DType::kF32);

  const auto device = device_of(session);
  const auto collectives = make_collectives(session, *device, {.kind = collectives_under_test(), .share_device = true});
  struct Precision {
    DType dtype;
    double loss, first, values;  ///< relative tolerances: of losses, of weights after one step and after ten
  };
  for (const Precision p : {Precision{DType::kF32, 1e-4, 1e-8, 1e-5}, Precision{DType::kBF16, 5e-2, 5e-5, 2e-3}}) {
    INFO(architecture << ", " << name_of(p.dtype) << ", " << session.world_size() << " ranks");
    const Trajectory actual = run(*device, *collectives, config, p.dtype);
    for (int i = 0; i < kSteps; ++i) {
      CHECK(actual.losses[static_cast<std::size_t>(i)] ==
            Approx(expected.losses[static_cast<std::size_t>(i)]).epsilon(p.loss));
    }
    CHECK(difference(actual.first, expected.first) <= p.first);
    CHECK(difference(actual.values, expected.values) <= p.values);
    CHECK(difference(expected.values, actual.values) > 0);  // it is another device that computed
  }
}

TEST_CASE("fp16 gradients that overflow cost a step, and halve the loss scale") {
  const MpiSession& session = test_session();
  const auto device = device_of(session);
  if (!device->supports(DType::kF16)) return;
  const auto collectives = make_collectives(session, *device, {.kind = collectives_under_test(), .share_device = true});
  Training training(*device, *collectives, small_network("resnet18"), DType::kF16);
  const std::vector<float> initial = training.values();
  const double start = optim::LossScale::kLargest;
  training.step.loss_scale().value = start;
  int skipped = 0;
  for (auto done = training.run(); done.skipped; done = training.run()) {
    REQUIRE_FALSE(done.non_finite);
    REQUIRE(training.step.loss_scale().value == std::ldexp(start, -++skipped));
    const bool unmoved = training.values() == initial;
    REQUIRE(unmoved);
  }
  INFO(skipped << " steps skipped");
  CHECK(skipped > 2);
  const std::vector<float> moved = training.values();
  CHECK(difference(moved, initial) > 1e-6);
  CHECK(difference(moved, initial) < 1e-2);
}
