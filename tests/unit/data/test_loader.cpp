// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/base/random.hpp"
#include "barlow/data/image_decoder.hpp"
#include "barlow/data/loader.hpp"
#include "barlow/data/shard_writer.hpp"
#include "barlow/pixels/make_view.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::data;

namespace {

constexpr int kSize = 20;

constexpr std::int64_t kEach = -2;

constexpr std::size_t kViewBytes = 16 * 16 * 3;

/// A set of 40 raw images of three sizes in a file; number `corrupt`, or each one, claims to be a JPEG.
struct SmallSet {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("barlow-loader-" + std::to_string(getpid()) + ".h5");

  explicit SmallSet(std::int64_t corrupt = -1) {
    ShardWriter writer(path);
    RandomStream random(1, RandomStream::Purpose::kSynthetic, 0);
    for (std::int64_t i = 0; i < 40; ++i) {
      const int width = kSize + static_cast<int>(i % 3) * 10;
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width) * kSize * 3);
      for (auto& value : pixels) value = static_cast<std::uint8_t>(random.next_u32());
      const Encoding encoding = i == corrupt || corrupt == kEach ? Encoding::kJpeg : Encoding::kRaw;
      writer.append({encoding, width, kSize, 3, 0, 0}, "image" + std::to_string(i), pixels);
    }
    const std::vector<std::string> names = {"a"};
    SetDescription description;
    description.class_names = names;
    description.fingerprint = set_fingerprint(writer.digests(), names);
    description.set_size = 40;
    writer.finish(description);
  }
  ~SmallSet() { std::filesystem::remove(path); }
};

AugmentationOptions views_of(int size) { return AugmentationOptions::reference(size); }

Loader::Plan plan(int rank, int world_size, std::int64_t first_step, std::int64_t num_steps) {
  return {.seed = 5, .rank = rank, .world_size = world_size, .first_step = first_step, .num_steps = num_steps};
}

/// View `view` of image `position` in a batch.
std::vector<std::uint8_t> view_of(const HostBatch& batch, std::size_t view, std::size_t position, std::size_t bytes) {
  const auto first =
      batch.images.begin() + static_cast<std::ptrdiff_t>((view * batch.sample_ids.size() + position) * bytes);
  return {first, first + static_cast<std::ptrdiff_t>(bytes)};
}

std::size_t position_of(std::int64_t sample, const HostBatch& batch) {
  const auto found = std::find(batch.sample_ids.begin(), batch.sample_ids.end(), sample);
  REQUIRE(found != batch.sample_ids.end());
  return static_cast<std::size_t>(found - batch.sample_ids.begin());
}

/// The views that a device would make of a batch's pixels.
std::vector<std::uint8_t> made_views(const HostBatch& batch, int size) {
  const std::size_t view_bytes = static_cast<std::size_t>(size) * static_cast<std::size_t>(size) * 3;
  std::vector<std::uint8_t> views(batch.plans.size() * view_bytes);
  for (std::size_t i = 0; i < batch.plans.size(); ++i) {
    REQUIRE(batch.plans[i].is_possible(static_cast<std::int64_t>(batch.images.size()), size));
    pixels::make_view(batch.plans[i], batch.images, size, views.data() + i * view_bytes);
  }
  return views;
}

}  // namespace

TEST_CASE("a batch is a function of its step, whatever the ranks, workers and starts") {
  const SmallSet set;
  const Dataset dataset = Dataset::open(set.path);
  Loader whole(dataset, Sampler(40, 8, 5), views_of(16), {.num_workers = 3}, plan(0, 1, 0, 12));
  Loader left(dataset, Sampler(40, 8, 5), views_of(16), {.num_workers = 1}, plan(0, 2, 0, 12));
  Loader right(dataset, Sampler(40, 8, 5), views_of(16), {.num_workers = 2}, plan(1, 2, 0, 12));
  Loader late(dataset, Sampler(40, 8, 5), views_of(16), {.num_workers = 2}, plan(0, 1, 7, 5));
  for (std::int64_t step = 0; step < 12; ++step) {
    HostBatch all = whole.next();
    const HostBatch half0 = left.next(), half1 = right.next();
    REQUIRE(all.step == step);
    REQUIRE(all.sample_ids.size() == 8);
    for (std::size_t view = 0; view < 2; ++view) {
      for (std::size_t i = 0; i < 8; ++i) {
        const HostBatch& half = i < 4 ? half0 : half1;
        REQUIRE(all.sample_ids[i] == half.sample_ids[i % 4]);
        REQUIRE(view_of(all, view, i, kViewBytes) == view_of(half, view, i % 4, kViewBytes));
      }
    }
    CHECK(view_of(all, 0, 0, kViewBytes) != view_of(all, 1, 0, kViewBytes));
    if (step >= 7) {
      const HostBatch again = late.next();
      CHECK(again.step == step);
      CHECK(std::equal(again.images.begin(), again.images.end(), all.images.begin(), all.images.end()));
    }
    whole.recycle(std::move(all));
  }
  CHECK_THROWS_AS(whole.next(), Error);
}

TEST_CASE("an image's views follow the epoch and the seed, not its place in a batch") {
  const SmallSet set;
  const Dataset dataset = Dataset::open(set.path);
  const auto views_of_image = [&](std::int64_t epoch, std::uint64_t seed, std::uint64_t order) {
    Loader::Plan one_epoch = plan(0, 1, epoch, 1);
    one_epoch.seed = seed;
    Loader loader(dataset, Sampler(40, 40, order), views_of(16), {}, one_epoch);
    const HostBatch batch = loader.next();
    return std::pair(view_of(batch, 0, position_of(7, batch), kViewBytes),
                     view_of(batch, 1, position_of(7, batch), kViewBytes));
  };
  const auto views = views_of_image(0, 5, 5);
  CHECK(views == views_of_image(0, 5, 6));
  for (const auto& others : {views_of_image(1, 5, 5), views_of_image(0, 6, 5)}) {
    CHECK(others.first != views.first);
    CHECK(others.second != views.second);
  }
}

TEST_CASE("an unreadable image is named, or replaced by the next") {
  const SmallSet set(17);
  const Dataset dataset = Dataset::open(set.path);
  Loader strict(dataset, Sampler(40, 40, 5), views_of(16), {.num_workers = 2}, plan(0, 1, 0, 1));
  CHECK_THROWS_WITH(strict.next(), contains("image17"));

  LoaderOptions options{.num_workers = 2, .corrupt_policy = CorruptPolicy::kReplace};
  std::vector<std::string> warnings;
  options.warn = [&](std::string_view message) { warnings.emplace_back(message); };
  Loader lenient(dataset, Sampler(40, 40, 5), views_of(16), options, plan(0, 1, 0, 2));
  const HostBatch batch = lenient.next();
  CHECK(batch.sample_ids.size() == 40);
  lenient.next();
  REQUIRE(warnings.size() == 1);  // in two epochs
  CHECK_THAT(warnings[0], contains("image17"));

  ImageDecoder decoder;
  std::vector<std::uint8_t> bytes;
  Image next;
  decoder.read(dataset, 18, bytes, next);
  const ViewRecipe recipe = draw_recipe(views_of(16), 5, 0, 17, 0, next.width, next.height);
  std::vector<std::uint8_t> expected(kViewBytes);
  AugmentationScratch scratch;
  apply(recipe, next, 16, scratch, expected);
  CHECK(view_of(batch, 0, position_of(17, batch), kViewBytes) == expected);
}

TEST_CASE("a set without a readable image is told by their number") {
  const SmallSet set(kEach);
  const Dataset dataset = Dataset::open(set.path);
  log::configure(log::Level::kQuiet, false);
  Loader loader(dataset, Sampler(40, 40, 5), views_of(16),
                {.num_workers = 2, .corrupt_policy = CorruptPolicy::kReplace}, plan(0, 1, 0, 1));
  CHECK_THROWS_WITH(loader.next(), contains("so are the 39 images before it"));
  log::configure(log::Level::kNormal, true);
}

TEST_CASE("a device makes the same views of a batch's pixels, however much room they have") {
  const SmallSet set(17);
  const Dataset dataset = Dataset::open(set.path);
  log::configure(log::Level::kQuiet, false);
  constexpr int kView = 12;
  constexpr std::size_t kTwoViews = 2 * kView * kView * 3;
  struct Room {
    std::size_t bytes;
    int least, most;  ///< images of 80 that go to the device as pixels
  };
  for (const Room room : {Room{kTwoViews, 1, 60}, Room{kTwoViews + 300, 30, 79}, Room{40 * kSize * 3, 80, 80}}) {
    INFO(room.bytes << " bytes per image");
    LoaderOptions options{.num_workers = 3, .corrupt_policy = CorruptPolicy::kReplace};
    Loader views(dataset, Sampler(40, 8, 5), views_of(kView), options, plan(0, 1, 0, 10));
    options.image_bytes = room.bytes;
    Loader images(dataset, Sampler(40, 8, 5), views_of(kView), options, plan(0, 1, 0, 10));
    int as_pixels = 0;
    for (int step = 0; step < 10; ++step) {
      const HostBatch expected = views.next();
      HostBatch batch = images.next();
      CHECK(expected.plans.empty());
      CHECK(batch.sample_ids == expected.sample_ids);
      CHECK(batch.images.size() <= 8 * room.bytes);
      const auto made = made_views(batch, kView);
      CHECK(std::equal(made.begin(), made.end(), expected.images.begin(), expected.images.end()));
      for (std::size_t i = 0; i < 8; ++i) as_pixels += batch.plans[i].blurs() ? 1 : 0;  // all first views are blurred
      images.recycle(std::move(batch));
    }
    CHECK(as_pixels >= room.least);
    CHECK(as_pixels <= room.most);
  }
  CHECK(room_per_image(dataset, 16) == 2231);  // five quarters of the mean image's bytes
  CHECK(room_per_image(dataset, 100) == 60000);
  CHECK(room_per_image(dataset, 2) == 8 * 24);
  log::configure(log::Level::kNormal, true);
}

TEST_CASE("a batch that is there can be had without waiting") {
  const auto wait_for_batch = [](Loader& loader, int milliseconds) {
    std::optional<HostBatch> batch;
    for (int i = 0; i < milliseconds && !batch; ++i) {
      batch = loader.try_next();
      if (!batch) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return batch;
  };
  const SmallSet set(17);
  const Dataset dataset = Dataset::open(set.path);
  Loader broken(dataset, Sampler(40, 40, 5), views_of(16), {.num_workers = 2}, plan(0, 1, 0, 1));
  CHECK_FALSE(wait_for_batch(broken, 50));
  CHECK_THROWS_WITH(broken.next(), contains("image17"));  // it waited to be told

  log::configure(log::Level::kQuiet, false);
  Loader loader(dataset, Sampler(40, 20, 5), views_of(16),
                {.num_workers = 2, .corrupt_policy = CorruptPolicy::kReplace}, plan(0, 1, 0, 2));
  const auto first = wait_for_batch(loader, 20000);
  REQUIRE(first);
  CHECK(first->step == 0);
  CHECK(loader.next().step == 1);
  CHECK_FALSE(loader.try_next());
  CHECK_THROWS_AS(loader.next(), Error);
  log::configure(log::Level::kNormal, true);
}

TEST_CASE("a loader ends at any moment") {
  const SmallSet set;
  const Dataset dataset = Dataset::open(set.path);
  for (int i = 0; i < 20; ++i) {
    Loader loader(dataset, Sampler(40, 8, 5), views_of(16), {.num_workers = 4}, plan(0, 1, 0, 100));
    if (i % 2 == 0) loader.next();
  }
}
