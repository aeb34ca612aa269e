// SPDX-License-Identifier: Apache-2.0
// Times what a device does with a batch of decoded images: the copy from staging memory, and the two views of each by
// the published recipe. Prints one JSON line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <functional>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/clock.hpp"
#include "barlow/base/random.hpp"
#include "barlow/data/view_plans.hpp"

using namespace barlow;

namespace {

struct Request {
  std::string device = "auto";
  std::int64_t images = 256, warmup = 3, iterations = 20;
  int image_size = 224, width = 500, height = 375, threads = 0;
};

/// A batch as the loader gives it: the parts of images that the crops need, one after the other, and plans.
struct Batch {
  Buffer memory;
  std::size_t size_bytes = 0;
  std::vector<pixels::ViewPlan> plans;
};

Batch make_batch(const Request& r, Backend& backend) {
  const auto image_bytes = static_cast<std::size_t>(r.width) * static_cast<std::size_t>(r.height) * 3;
  const auto b = static_cast<std::size_t>(r.images);
  const auto options = data::AugmentationOptions::reference(r.image_size);
  Batch batch{backend.allocate_staging(b * image_bytes), 0, std::vector<pixels::ViewPlan>(2 * b)};
  RandomStream random(1, RandomStream::Purpose::kSynthetic, 0);
  auto* bytes = static_cast<std::uint8_t*>(batch.memory.data());
  for (std::size_t i = 0; i + 4 <= b * image_bytes; i += 4) {
    const std::uint32_t four = random.next_u32();
    std::memcpy(bytes + i, &four, sizeof four);
  }
  for (std::size_t i = 0; i < b; ++i) {
    std::array<data::ViewRecipe, 2> recipes;
    for (int view = 0; view < 2; ++view) {
      recipes[static_cast<std::size_t>(view)] =
          data::draw_recipe(options, 1, 0, static_cast<std::int64_t>(i), view, r.width, r.height);
    }
    const auto planned = data::plan_views(recipes, r.width, r.height, r.image_size);
    for (std::size_t view = 0; view < 2; ++view) {
      batch.plans[view * b + i] = planned.views[view];
      batch.plans[view * b + i].first_byte += static_cast<std::int64_t>(batch.size_bytes);
    }
    batch.size_bytes +=
        static_cast<std::size_t>(planned.region.width) * static_cast<std::size_t>(planned.region.height) * 3;
  }
  return batch;
}

/// The median of the seconds that it takes, waits included.
double time(const Request& r, Backend& backend, const std::function<void()>& run) {
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < r.warmup + r.iterations; ++i) {
    const Stopwatch watch;
    run();
    backend.synchronize();
    if (i >= r.warmup) seconds.push_back(watch.elapsed_s());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void run(const Request& r) {
  const auto backend = make_backend({.device = r.device, .num_threads = r.threads});
  const Batch batch = make_batch(r, *backend);
  const Shape flat{static_cast<std::int64_t>(batch.size_bytes)}, shape{2, r.images, r.image_size, r.image_size, 3};
  const Buffer image_memory = backend->allocate(batch.size_bytes);
  const Buffer view_memory = backend->allocate(static_cast<std::size_t>(shape.num_elements()));
  const ConstTensorView host(batch.memory.data(), DType::kU8, flat);
  const TensorView images(image_memory.data(), DType::kU8, flat), views(view_memory.data(), DType::kU8, shape);
  const double copy_s = time(r, *backend, [&] { backend->copy_to_device(host, images); });
  const double views_s = time(r, *backend, [&] {
    backend->make_views(batch.plans, images, views);
    backend->await_input(backend->mark_input());
  });
  fmt::print(
      R"({{"op": "make_views", "device": "{}", "images": {}, "image": "{}x{}", "image_size": {}, "ms": {:.3f}, "images_per_second": {:.0f}, )"
      R"("copy_ms": {:.3f}, "copy_gb_per_s": {:.1f}}})"
      "\n",
      backend->description(), r.images, r.width, r.height, r.image_size, 1e3 * views_s,
      static_cast<double>(r.images) / views_s, 1e3 * copy_s, 1e-9 * static_cast<double>(batch.size_bytes) / copy_s);
}

}  // namespace

int main(int argc, char** argv) {
  Request r;
  CLI::App command("Times the making of views on a device.", "bench_views");
  command.add_option("--device", r.device, "auto, cpu or cuda")->capture_default_str();
  command.add_option("--images", r.images, "of a batch")->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--width", r.width, "of an image")->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--height", r.height)->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--image-size", r.image_size, "side of a view")->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--threads", r.threads, "0: all cores")->capture_default_str();
  command.add_option("--warmup", r.warmup)->capture_default_str();
  command.add_option("--iters", r.iterations)->check(CLI::PositiveNumber)->capture_default_str();
  CLI11_PARSE(command, argc, argv);
  try {
    run(r);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_views: {}\n", error.what());
    return 2;
  }
  return 0;
}
