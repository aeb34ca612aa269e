// SPDX-License-Identifier: Apache-2.0
// Views that the device makes are data::apply's, bit for bit: on a processor by the phases of the kernels in loops, on
// a GPU by the kernels.
#include <algorithm>

#include "barlow/base/random.hpp"
#include "barlow/data/view_plans.hpp"
#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Coloured ramps with noise, and a block of one colour: grey, dark, bright and saturated pixels.
data::Image random_image(int width, int height, std::uint64_t seed) {
  data::Image image;
  image.resize(width, height);
  RandomStream random(seed, RandomStream::Purpose::kSynthetic, 0);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < 3 * width; ++x) {
      const int ramp = (x / 3 * (1 + x % 3) + y * (3 - x % 3)) % 256;
      const int noise = static_cast<int>(random.next_u32() >> 26);
      image.row(y)[x] = static_cast<std::uint8_t>(x / 3 < width / 4 ? 40 * (x % 3) : std::min(255, ramp + noise));
    }
  }
  return image;
}

struct Item {
  data::Image image;
  std::array<data::ViewRecipe, 2> recipes;
};

/// After all that has been asked of the device, and before what follows.
void make_views(Backend& backend, std::span<const pixels::ViewPlan> plans, ConstTensorView images, TensorView views) {
  backend.synchronize();
  backend.make_views(plans, images, views);
  backend.await_input(backend.mark_input());
}

/// What the device makes of all items' views, u8 [2,b,S,S,3].
Bytes made_by_device(const std::vector<Item>& items, int size) {
  const std::size_t b = items.size();
  Bytes pixels;
  std::vector<pixels::ViewPlan> plans(2 * b);
  for (std::size_t i = 0; i < b; ++i) {
    const data::Image& image = items[i].image;
    const auto planned = data::plan_views(items[i].recipes, image.width, image.height, size);
    const data::ViewRecipe::Box& region = planned.region;
    for (std::size_t view = 0; view < 2; ++view) {
      plans[view * b + i] = planned.views[view];
      plans[view * b + i].first_byte += static_cast<std::int64_t>(pixels.size());
    }
    for (int y = region.top; y < region.top + region.height; ++y) {
      const std::uint8_t* row = image.row(y) + 3 * region.left;
      pixels.insert(pixels.end(), row, row + 3 * region.width);
    }
  }
  Backend& backend = backend_under_test();
  const Shape shape{2, static_cast<std::int64_t>(b), size, size, 3}, flat{static_cast<std::int64_t>(pixels.size())};
  const Buffer image_memory = backend.allocate(pixels.size());
  const TensorView images(image_memory.data(), DType::kU8, flat);
  const Buffer view_memory = backend.allocate(static_cast<std::size_t>(shape.num_elements()));
  const TensorView views(view_memory.data(), DType::kU8, shape);
  backend.copy_to_device(ConstTensorView(pixels.data(), DType::kU8, flat), images);
  make_views(backend, plans, images, views);
  Bytes result(static_cast<std::size_t>(shape.num_elements()));
  backend.copy_to_host(views, TensorView(result.data(), DType::kU8, shape));
  return result;
}

Bytes made_by_apply(const std::vector<Item>& items, int size) {
  const std::size_t view_bytes = static_cast<std::size_t>(size) * static_cast<std::size_t>(size) * 3;
  Bytes result(2 * items.size() * view_bytes);
  data::AugmentationScratch scratch;
  for (std::size_t view = 0; view < 2; ++view) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto target = std::span(result).subspan((view * items.size() + i) * view_bytes, view_bytes);
      data::apply(items[i].recipes[view], items[i].image, size, scratch, target);
    }
  }
  return result;
}

/// The first difference, for people.
std::string difference(const Bytes& actual, const Bytes& expected, std::size_t num_images, int size) {
  const auto at = static_cast<std::size_t>(
      std::mismatch(actual.begin(), actual.end(), expected.begin(), expected.end()).first - actual.begin());
  if (at == actual.size()) return "";
  const auto width = static_cast<std::size_t>(size);
  const std::size_t view_bytes = width * width * 3, inside = at % view_bytes;
  return "view " + std::to_string(at / view_bytes / num_images) + " of image " +
         std::to_string(at / view_bytes % num_images) + ", pixel (" + std::to_string(inside / 3 % width) + ", " +
         std::to_string(inside / 3 / width) + ") is " + std::to_string(actual[at]) + ", expected " +
         std::to_string(expected[at]);
}

void require_same(const std::vector<Item>& items, int size) {
  CHECK(difference(made_by_device(items, size), made_by_apply(items, size), items.size(), size) == "");
}

constexpr std::array<std::array<int, 2>, 5> kImageSizes{{{1, 1}, {3, 500}, {17, 23}, {240, 180}, {500, 375}}};

bool fits(int width, int height, int size) { return std::max(width, height) <= pixels::ViewPlan::kMaxScale * size; }

/// Every step happens in about half of the views.
data::AugmentationOptions lively(int size) {
  auto options = data::AugmentationOptions::reference(size);
  for (data::ViewOptions& view : options.views) {
    view.grey = 0.3;
    view.blur = view.solarize = 0.5;
    view.brightness = view.contrast = view.saturation = 1;
    view.hue = 0.5;
  }
  return options;
}

std::vector<Item> drawn_items(const data::AugmentationOptions& options, int count, std::uint64_t seed) {
  std::vector<Item> items;
  for (int i = 0; i < count; ++i) {
    for (const auto [width, height] : kImageSizes) {
      if (!fits(width, height, options.image_size)) continue;
      Item item{random_image(width, height, seed + items.size()), {}};
      for (int view = 0; view < 2; ++view) {
        item.recipes[static_cast<std::size_t>(view)] =
            data::draw_recipe(options, seed, i, static_cast<std::int64_t>(items.size()), view, width, height);
      }
      items.push_back(std::move(item));
    }
  }
  return items;
}

/// Each step alone, at several strengths, and the jitter in four orders: two views of 150x120 pixels each.
std::vector<Item> single_steps() {
  data::ViewRecipe plain{};
  plain.crop = true;
  plain.box = {7, 5, 130, 111};
  plain.brightness = plain.contrast = plain.saturation = 1;
  std::vector<data::ViewRecipe> recipes(3, plain);
  recipes[0].flip = true;
  recipes[1].grey = true;
  recipes[2].solarize = true;
  for (const float sigma : {0.1F, 0.7F, 1.4F, 2.0F, 3.3F}) {
    recipes.push_back(plain);
    recipes.back().blur_sigma = sigma;
    recipes.back().solarize = sigma > 1;
  }
  for (int step = 0; step < 4; ++step) {
    for (const float factor : {0.0F, 0.63F, 1.0F, 1.4F}) {
      data::ViewRecipe recipe = plain;
      recipe.jitter = true;
      recipe.jitter_order = {step, (step + 1) % 4, (step + 2) % 4, (step + 3) % 4};
      (step == 0 ? recipe.brightness : step == 1 ? recipe.contrast : recipe.saturation) = factor;
      recipe.hue = step == 3 ? static_cast<double>(factor) / 3 - 0.2 : 1e-9;  // not 0, which is no step
      recipes.push_back(recipe);
    }
  }
  std::vector<Item> items;
  for (std::size_t i = 0; i + 1 < recipes.size(); i += 2)
    items.push_back({random_image(150, 120, i), {recipes[i], recipes[i + 1]}});
  return items;
}

/// FNV-1a.
std::uint64_t hash_of(std::span<const std::uint8_t> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

}  // namespace

TEST_CASE("each step alone is the processor's") { require_same(single_steps(), 48); }

// Held to PIL by tests/oracle/augmentation; here without it, so that no constant of both sides changes unseen.
TEST_CASE("each step alone is what it was") {
  constexpr int kSize = 48;
  constexpr std::uint64_t kExpected[24] = {
      0xa2d6ea53025ddaed, 0xdea8f54fb00d427f, 0xd95bbe1bd8710b24, 0x1bcb1bc7bd2fad29, 0x988ca9561494bf25,
      0x7dff63484ebb88d9, 0xf0976985a27bf225, 0xb056047538a29633, 0xf636587dbeb4f1da, 0x760e47690ca94d28,
      0xb1b756493b57343e, 0xf4b6a96b8b9ff41f, 0xef8edb17fd1e7320, 0x8fd09218cdb2d673, 0xe2355bc83e0dae21,
      0x47074fe48f200063, 0x70078cddaa04ef88, 0x4df3eddf3696d6fe, 0xf19693680dfc7f36, 0x653e06f9dc5c684,
      0x95dc06497f019f96, 0xd2bca5ea8179bd58, 0xb486e975d4f0671a, 0xb6dfbcabc7fc926e};
  const std::vector<Item> items = single_steps();
  const Bytes views = made_by_device(items, kSize);
  for (std::size_t i = 0; i < 2 * items.size(); ++i) {
    INFO("view " << i);
    CHECK(hash_of(std::span(views).subspan(i * kSize * kSize * 3, kSize * kSize * 3)) == kExpected[i]);
  }
}

TEST_CASE("views of the published recipe are the processor's") {
  const int size = GENERATE(24, 32, 96, 224);
  INFO("size " << size);
  require_same(drawn_items(data::AugmentationOptions::reference(size), 8, 11), size);
}

TEST_CASE("views of lively recipes are the processor's") {
  const int size = GENERATE(8, 31, 65, 160);
  INFO("size " << size);
  require_same(drawn_items(lively(size), 12, 12), size);
}

TEST_CASE("centred views are the processor's") {
  const int size = GENERATE(33, 64);
  auto options = lively(size);
  for (data::ViewOptions& view : options.views) view.crop = false;
  options.views[0].blur_sigma_min = 5;  // a box wider than the view
  options.views[0].blur_sigma_max = 60;
  require_same(drawn_items(options, 4, 13), size);
}

TEST_CASE("the largest resize that has room is the processor's") {
  constexpr int kSize = 25, kLargest = kSize * pixels::ViewPlan::kMaxScale;
  Item item{random_image(kLargest + 3, kLargest + 1, 21), {}};
  for (data::ViewRecipe& recipe : item.recipes) recipe.crop = true;
  item.recipes[0].box = {2, 1, kLargest, kLargest};
  item.recipes[1].box = {3, 0, kLargest - 1, 1};
  require_same({item}, kSize);
  item.recipes[1].box = {3, 0, 1, kLargest + 1};
  CHECK_THROWS_AS(made_by_device({item}, kSize), ShapeError);
}

TEST_CASE("pixels that are a view stay as they are") {
  constexpr int kSize = 40;
  const data::Image image = random_image(kSize, kSize, 3);
  Backend& backend = backend_under_test();
  const Shape flat{kSize * kSize * 3}, shape{2, 1, kSize, kSize, 3};
  const Buffer in = backend.allocate(image.pixels.size()), out = backend.allocate(2 * image.pixels.size());
  const TensorView images(in.data(), DType::kU8, flat), views(out.data(), DType::kU8, shape);
  backend.copy_to_device(ConstTensorView(image.pixels.data(), DType::kU8, flat), images);
  const std::vector<pixels::ViewPlan> plans(2, data::plan_of_view(kSize));
  make_views(backend, plans, images, views);
  Bytes result(2 * image.pixels.size());
  backend.copy_to_host(views, TensorView(result.data(), DType::kU8, shape));
  CHECK(std::equal(image.pixels.begin(), image.pixels.end(), result.begin()));
  CHECK(std::equal(image.pixels.begin(), image.pixels.end(), result.begin() + kSize * kSize * 3));
}

TEST_CASE("a jitter of nothing changes nothing") {
  constexpr int kSize = 64;
  auto options = data::AugmentationOptions::reference(kSize);
  for (data::ViewOptions& view : options.views) {
    view = {.crop = false, .flip = 0, .jitter = 1, .grey = 0, .blur = 0};
    view.brightness = view.contrast = view.saturation = view.hue = 0;
  }
  for (int sample = 0; sample < 8; ++sample) {
    Item item{random_image(kSize, kSize, 5), {}};
    for (int view = 0; view < 2; ++view)
      item.recipes[static_cast<std::size_t>(view)] = data::draw_recipe(options, 0, 0, sample, view, kSize, kSize);
    Bytes expected = item.image.pixels;
    expected.insert(expected.end(), item.image.pixels.begin(), item.image.pixels.end());
    CHECK(difference(made_by_apply({item}, kSize), expected, 1, kSize) == "");
    CHECK(difference(made_by_device({item}, kSize), expected, 1, kSize) == "");
  }
}

TEST_CASE("plans that reach outside of the pixels are refused") {
  Backend& backend = backend_under_test();
  const pixels::ViewPlan fine = data::plan_of_view(16);
  const Buffer in = backend.allocate(16 * 16 * 3), out = backend.allocate(2 * 16 * 16 * 3);
  const TensorView images(in.data(), DType::kU8, {16 * 16 * 3}), views(out.data(), DType::kU8, {2, 1, 16, 16, 3});
  const auto refused = [&](auto change) {
    std::vector<pixels::ViewPlan> plans(2, fine);
    change(plans[1]);
    CHECK_THROWS_AS(backend.make_views(plans, images, views), ShapeError);
  };
  refused([](pixels::ViewPlan& plan) { plan.first_byte = 1; });
  refused([](pixels::ViewPlan& plan) { plan.first_byte = -1; });
  refused([](pixels::ViewPlan& plan) { plan.box_height = 17; });
  refused([](pixels::ViewPlan& plan) { plan.box_width = 17; });
  refused([](pixels::ViewPlan& plan) { plan.left = 1; });
  refused([](pixels::ViewPlan& plan) { plan.full_height = 1; });
  refused([](pixels::ViewPlan& plan) { plan.num_steps = 5; });
  CHECK_THROWS_AS(backend.make_views(std::vector(1, fine), images, views), ShapeError);
}
