// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "barlow/base/error.hpp"
#include "barlow/base/random.hpp"
#include "barlow/cli/flags.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/data/jpeg_encoder.hpp"
#include "commands.hpp"
#include "set_writer.hpp"

namespace barlow::data_tools {
namespace {

struct SynthesizeOptions {
  SetOptions set;
  std::int64_t num_images = 0;
  int num_classes = 1, width = 0, height = 0;
  std::string encoding = "jpeg";
  std::uint64_t seed = 0;
};

using Color = std::array<float, 3>;

/// What all images of a class share: a palette, a kind of shape, and the direction and period of a texture.
struct ClassLook {
  Color background, foreground;
  int num_corners;  ///< 2: an ellipse
  float angle, period;
};

Color draw_color(RandomStream& random) {
  Color color;
  for (float& channel : color) channel = static_cast<float>(random.next_uniform(30, 225));
  return color;
}

ClassLook draw_look(std::uint64_t seed, int label) {
  RandomStream random(seed, RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(label), 1);
  ClassLook look{};
  look.background = draw_color(random);
  look.foreground = draw_color(random);
  look.num_corners = 2 + label % 5;
  look.angle = static_cast<float>(random.next_uniform(0, std::numbers::pi));
  look.period = static_cast<float>(random.next_uniform(0.03, 0.15));
  return look;
}

/// Adds noise whose amplitude falls by a quarter with every octave, as in photographs (1/f): a grid of random values
/// per octave, interpolated linearly.
void add_natural_noise(std::vector<float>& plane, int width, int height, float amplitude, RandomStream& random) {
  for (int cell = std::max(width, height) / 2; cell >= 1; cell /= 2) {
    const int columns = width / cell + 2, rows = height / cell + 2;
    std::vector<float> grid(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows));
    for (float& value : grid) value = static_cast<float>(random.next_u32()) * 0x1p-31f - 1.0f;
    for (int y = 0; y < height; ++y) {
      const float* above = grid.data() + static_cast<std::size_t>(y / cell) * static_cast<std::size_t>(columns);
      const float v = static_cast<float>(y % cell) / static_cast<float>(cell);
      float* out = plane.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
      for (int x = 0; x < width; ++x) {
        const float* corner = above + x / cell;
        const float u = static_cast<float>(x % cell) / static_cast<float>(cell);
        const float top = corner[0] + u * (corner[1] - corner[0]);
        const float bottom = corner[columns] + u * (corner[columns + 1] - corner[columns]);
        out[x] += amplitude * (top + v * (bottom - top));
      }
    }
    amplitude *= 0.75f;
  }
}

struct Shape {
  float x, y, radius, angle, shade;
};

/// 1 inside the shape, 0 outside, with a soft edge of a pixel.
float coverage(const Shape& shape, int num_corners, float x, float y) {
  const float dx = x - shape.x, dy = y - shape.y;
  float limit = shape.radius;
  float distance = std::sqrt(dx * dx + dy * dy);
  if (distance > shape.radius * 1.5f) return 0;
  if (num_corners == 2) {
    const float u = dx * std::cos(shape.angle) + dy * std::sin(shape.angle);
    const float v = dy * std::cos(shape.angle) - dx * std::sin(shape.angle);
    distance = std::sqrt(u * u + 4 * v * v);
  } else {
    const float sector = 2 * std::numbers::pi_v<float> / static_cast<float>(num_corners);
    const float turn = std::atan2(dy, dx) - shape.angle;
    limit *= std::cos(sector / 2) / std::cos(turn - sector * std::floor(turn / sector + 0.5f));
  }
  return std::clamp(limit - distance + 0.5f, 0.0f, 1.0f);
}

data::Image draw_image(const SynthesizeOptions& options, std::int64_t index, int label) {
  RandomStream random(options.seed, RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(index), 0);
  const ClassLook look = draw_look(options.seed, label);
  const auto extent = static_cast<float>(std::min(options.width, options.height));
  std::array<Shape, 4> shapes;
  for (Shape& shape : shapes) {
    shape = {static_cast<float>(random.next_uniform() * options.width),
             static_cast<float>(random.next_uniform() * options.height),
             extent * static_cast<float>(random.next_uniform(0.12, 0.35)),
             static_cast<float>(random.next_uniform(0, 2 * std::numbers::pi)),
             static_cast<float>(random.next_uniform(0.7, 1.2))};
  }
  const float light = static_cast<float>(random.next_uniform(0.8, 1.15));
  const float phase = static_cast<float>(random.next_uniform(0, 2 * std::numbers::pi));
  const auto num_pixels = static_cast<std::size_t>(options.width) * static_cast<std::size_t>(options.height);
  std::vector<float> luminance(num_pixels), tint(num_pixels);
  add_natural_noise(luminance, options.width, options.height, 55, random);
  add_natural_noise(tint, options.width, options.height, 20, random);
  const float frequency = 2 * std::numbers::pi_v<float> / (look.period * extent + 2);
  const float along_x = std::cos(look.angle) * frequency, along_y = std::sin(look.angle) * frequency;
  data::Image image;
  image.resize(options.width, options.height);
  for (int y = 0; y < options.height; ++y) {
    std::uint8_t* out = image.row(y);
    for (int x = 0; x < options.width; ++x) {
      const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
      const std::size_t at =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(options.width) + static_cast<std::size_t>(x);
      float inside = 0, shade = 1;
      for (const Shape& shape : shapes) {
        const float part = coverage(shape, look.num_corners, fx, fy);
        if (part > 0) shade = shape.shade;
        inside = std::max(inside, part);
      }
      const float texture = 18 * std::sin(along_x * fx + along_y * fy + phase) * (1 - inside);
      for (std::size_t c = 0; c < 3; ++c) {
        const float base = look.background[c] + inside * (look.foreground[c] * shade - look.background[c]);
        const float color = c == 0 ? tint[at] : c == 2 ? -tint[at] : 0;
        *out++ =
            static_cast<std::uint8_t>(std::clamp(light * base + texture + luminance[at] + color + 0.5f, 0.0f, 255.0f));
      }
    }
  }
  return image;
}

Sample make_sample(const SynthesizeOptions& options, std::int64_t index) {
  const auto label = static_cast<int>(index % options.num_classes);
  data::Image image = draw_image(options, index, label);
  Sample sample;
  const bool is_jpeg = options.encoding == "jpeg";
  sample.name = fmt::format("class-{:04}/{:07}", label, index);
  sample.bytes = is_jpeg ? data::encode_jpeg(image, 90) : std::move(image.pixels);
  sample.info = {is_jpeg ? data::Encoding::kJpeg : data::Encoding::kRaw, image.width, image.height, 3, label,
                 static_cast<std::int64_t>(sample.bytes.size())};
  return sample;
}

void parse_size(const std::string& text, SynthesizeOptions& options) {
  const char* end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, options.width);
  if (width.ec == std::errc() && width.ptr != end && *width.ptr == 'x') {
    const auto height = std::from_chars(width.ptr + 1, end, options.height);
    if (height.ec == std::errc() && height.ptr == end && options.width >= 8 && options.height >= 8 &&
        options.width <= 16384 && options.height <= 8192)
      return;
  }
  throw AgreedError("--size \"" + text + "\": WIDTHxHEIGHT in pixels, 8 to 16384 by 8192, for example 500x375",
                    kExitRefused);
}

}  // namespace

int synthesize_command(int argc, char** argv, MpiSession& session) {
  SynthesizeOptions options;
  std::string size;
  CLI::App command(
      "Makes photo-like images with classes that can be learned; the same for the same flags on any number "
      "of ranks.",
      "barlow-data synthesize");
  command.add_option("--output", options.set.output, "the data set")->required();
  cli::add_number(command, "--images", options.num_images, "number of images", {1, std::int64_t{1} << 32})->required();
  cli::add_number(command, "--classes", options.num_classes, "number of classes", {1, 100000})->required();
  command.add_option("--size", size, "WIDTHxHEIGHT in pixels")->required();
  command.add_option("--encoding", options.encoding, "how the images are stored")
      ->check(CLI::IsMember({"jpeg", "raw"}))
      ->capture_default_str();
  cli::add_number(command, "--seed", options.seed, "another seed, other images")->capture_default_str();
  cli::add_number(command, "--shards", options.set.num_shards, "number of files (default: the number of ranks)",
                  {1, 100000});
  command.add_flag("--overwrite", options.set.overwrite, "replace an existing data set, once the new one is complete");
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return *exit_code;
  require_same(session, cli::shared_flags(command, {}));
  parse_size(size, options);
  for (int c = 0; c < options.num_classes; ++c) options.set.class_names.push_back(fmt::format("class-{:04}", c));
  const SetSummary summary = write_set(
      options.set, options.num_images, [&](std::int64_t i) { return std::optional(make_sample(options, i)); }, session);
  if (session.is_root()) {
    fmt::print("made {} images of {} classes, {:.1f} MB, in \"{}\"\nfingerprint {}\n", summary.num_samples,
               options.num_classes, static_cast<double>(summary.num_bytes) * 1e-6, options.set.output.string(),
               summary.fingerprint);
  }
  return kExitFinished;
}

}  // namespace barlow::data_tools
