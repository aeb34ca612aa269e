// SPDX-License-Identifier: Apache-2.0
// Times the whole training step on images that are already there: views of random pixels, forward, loss, backward,
// exchange, LARS; the next batch is copied to the device meanwhile, as in training. Prints one JSON line. Under mpirun
// the batch is shared by the ranks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/clock.hpp"
#include "barlow/base/random.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/train/training_step.hpp"

using namespace barlow;

namespace {

struct Request {
  train::PretrainConfig config;
  std::int64_t warmup = 1, iterations = 5, threads = 0;
};

/// In staging memory, as a loader's batches are.
Buffer random_pixels(Backend& backend, std::int64_t count, int rank) {
  Buffer pixels = backend.allocate_staging(static_cast<std::size_t>(count));
  RandomStream random(1, RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(rank));
  std::generate_n(static_cast<std::uint8_t*>(pixels.data()), count,
                  [&] { return static_cast<std::uint8_t>(random.next_u32() >> 24); });
  return pixels;
}

double percentile(std::vector<double> sorted, double share) {
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
}

void run(const Request& r, const MpiSession& session) {
  const auto backend = make_backend({.device = r.config.device,
                                     .local_rank = session.local_rank(),
                                     .local_size = session.local_size(),
                                     .num_threads = static_cast<int>(r.threads),
                                     .tf32 = r.config.precision == "tf32"});
  const auto collectives =
      make_collectives(session, *backend, {.kind = r.config.collectives, .share_device = r.config.share_device});
  const train::StepOptions options{.dtype = choose_dtype(r.config.precision, *backend),
                                   .local_batch = r.config.batch_size / session.world_size(),
                                   .lars = {},
                                   .loss = {.gradient_scale = 1.0F / 16},
                                   .record = r.config.cuda_graph};
  train::TrainingStep step(r.config, options, *backend, *collectives);
  nn::initialize(step.store(), *backend, 0);
  const std::int64_t S = r.config.image_size;
  const Shape shape{2, options.local_batch, S, S, 3};
  const std::array<Buffer, 2> pixels{random_pixels(*backend, shape.num_elements(), session.rank()),
                                     random_pixels(*backend, shape.num_elements(), session.rank())};
  const std::vector<std::int64_t> ids(static_cast<std::size_t>(options.local_batch));
  const auto batch = [&](std::int64_t i) {
    return train::StepInput{ConstTensorView(pixels[static_cast<std::size_t>(i % 2)].data(), DType::kU8, shape), ids};
  };

  std::vector<double> seconds;
  for (std::int64_t i = 0; i < r.warmup + r.iterations; ++i) {
    session.barrier();
    const Stopwatch watch;
    step.uploads().begin(batch(i));
    step.uploads().begin(batch(i + 1));
    const auto result = step.run(batch(i), {0.01, 0.001}, nullptr);
    session.barrier();
    if (result.non_finite) throw Error(*result.non_finite + " is not finite");
    if (i >= r.warmup) seconds.push_back(watch.elapsed_s());
  }
  step.uploads().forget();
  if (!session.is_root()) return;
  const double median = percentile(seconds, 0.5);
  fmt::print(
      R"({{"program": "barlow", "device": "{}", "ranks": {}, "architecture": "{}", "image_size": {}, "projector": "{}", "batch": {}, )"
      R"("precision": "{}", "replayed": {}, "seconds_median": {:.4f}, "seconds_p10": {:.4f}, "seconds_p90": {:.4f}, "views_per_second": {:.3f}}})"
      "\n",
      backend->description(), session.world_size(), r.config.architecture, S, r.config.projector, r.config.batch_size,
      r.config.precision, step.is_replayed(), median, percentile(seconds, 0.1), percentile(seconds, 0.9),
      2 * static_cast<double>(r.config.batch_size) / median);
}

}  // namespace

int main(int argc, char** argv) {
  const MpiSession session(&argc, &argv);
  Request r;
  r.config.batch_size = 32;
  r.config.precision = "fp32";
  CLI::App command("Times the training step.", "bench_step");
  command.add_option("--batch", r.config.batch_size, "images per step over all ranks")->capture_default_str();
  command.add_option("--precision", r.config.precision, "fp32, tf32, bf16 or fp16")
      ->check(CLI::IsMember({"fp32", "tf32", "bf16", "fp16"}))
      ->capture_default_str();
  command.add_option("--architecture", r.config.architecture)->capture_default_str();
  command.add_option("--stem", r.config.stem)->capture_default_str();
  command.add_option("--image-size", r.config.image_size)->capture_default_str();
  command.add_option("--projector", r.config.projector)->capture_default_str();
  command.add_option("--device", r.config.device, "auto, cpu or cuda")->capture_default_str();
  command.add_option("--collectives", r.config.collectives, "auto, nccl or mpi")->capture_default_str();
  command.add_flag("--share-device", r.config.share_device, "several ranks may use one GPU");
  command.add_option("--threads", r.threads, "compute threads per rank; 0: this rank's share of the cores")
      ->capture_default_str();
  command.add_flag("--cuda-graph,!--no-cuda-graph", r.config.cuda_graph, "replay the step where it can be");
  command.add_option("--warmup", r.warmup, "steps not counted")->capture_default_str();
  command.add_option("--iters", r.iterations, "steps counted")->check(CLI::PositiveNumber)->capture_default_str();
  CLI11_PARSE(command, argc, argv);
  try {
    run(r, session);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_step: {}\n", error.what());
    return dynamic_cast<const ConfigError*>(&error) != nullptr ? 2 : 1;
  }
  return 0;
}
