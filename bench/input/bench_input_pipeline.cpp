// SPDX-License-Identifier: Apache-2.0
// Times what a loader's worker does for one image on one core: decode, draw, two views. Prints one JSON line. Counts
// the thread's CPU time, so that a busy machine does not pass for a slow program.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <fstream>
#include <iterator>

#include "barlow/base/error.hpp"
#include "barlow/data/augmentation.hpp"
#include "barlow/data/image_decoder.hpp"

using namespace barlow;

namespace {

using Bytes = std::vector<std::uint8_t>;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError(path + ": cannot be read");
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

struct Request {
  std::vector<std::string> files;
  int image_size = 224;
  std::int64_t images = 400;
};

void run(const Request& request) {
  std::vector<Bytes> files;
  std::vector<data::SampleInfo> infos;
  for (const std::string& path : request.files) {
    files.push_back(read_file(path));
    infos.push_back(data::identify_image(files.back()));
  }
  const auto options = data::AugmentationOptions::reference(request.image_size);
  data::ImageDecoder decoder;
  data::Image image;
  data::AugmentationScratch scratch;
  Bytes view(static_cast<std::size_t>(request.image_size) * static_cast<std::size_t>(request.image_size) * 3);
  double decode_s = 0, views_s = 0;
  std::uint64_t checksum = 0;
  const std::int64_t warmup = request.images / 10;
  for (std::int64_t i = -warmup; i < request.images; ++i) {
    const std::size_t file = static_cast<std::size_t>(i + warmup) % files.size();
    const double start = cpu_seconds();
    decoder.decode(files[file], infos[file], image);
    const double decoded = cpu_seconds();
    for (int v = 0; v < 2; ++v) {
      const auto recipe = data::draw_recipe(options, 1, 0, i + warmup, v, image.width, image.height);
      data::apply(recipe, image, request.image_size, scratch, view);
      checksum += view[static_cast<std::size_t>(i + warmup) % view.size()];
    }
    const double done = cpu_seconds();
    if (i < 0) continue;
    decode_s += decoded - start;
    views_s += done - decoded;
  }
  const auto count = static_cast<double>(request.images);
  fmt::print(
      R"({{"program": "barlow", "images": {}, "image_size": {}, "images_per_second_per_core": {:.1f}, "decode_ms": {:.3f}, )"
      R"("two_views_ms": {:.3f}, "checksum": {}}})"
      "\n",
      request.images, request.image_size, count / (decode_s + views_s), 1e3 * decode_s / count, 1e3 * views_s / count,
      checksum);
}

}  // namespace

int main(int argc, char** argv) {
  Request request;
  CLI::App command("Times decoding and augmentation on one core.", "bench_input_pipeline");
  command.add_option("files", request.files, "JPEG or PNG files, taken in turn")->required()->check(CLI::ExistingFile);
  command.add_option("--image-size", request.image_size, "side of a view")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--images", request.images, "images counted")->check(CLI::PositiveNumber)->capture_default_str();
  CLI11_PARSE(command, argc, argv);
  try {
    run(request);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_input_pipeline: {}\n", error.what());
    return 2;
  }
  return 0;
}
