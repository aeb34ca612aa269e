// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/base/random.hpp"
#include "barlow/data/loader.hpp"
#include "barlow/data/shard_writer.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::data;

namespace {

constexpr int kSize = 20;

/// A set of 40 raw images in a file; `corrupt` of them claims to be a JPEG.
struct SmallSet {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("barlow-loader-" + std::to_string(getpid()) + ".h5");

  explicit SmallSet(std::int64_t corrupt = -1) {
    ShardWriter writer(path);
    RandomStream random(1, RandomStream::Purpose::kSynthetic, 0);
    for (std::int64_t i = 0; i < 40; ++i) {
      std::vector<std::uint8_t> pixels(kSize * kSize * 3);
      for (auto& value : pixels) value = static_cast<std::uint8_t>(random.next_u32());
      const Encoding encoding = i == corrupt ? Encoding::kJpeg : Encoding::kRaw;
      writer.append({encoding, kSize, kSize, 3, 0, 0}, "image" + std::to_string(i), pixels);
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

}  // namespace

TEST_CASE("a batch is a function of its step, whatever the ranks, workers and starts") {
  const SmallSet set;
  const Dataset dataset = Dataset::open(set.path);
  constexpr std::size_t kBytes = 16 * 16 * 3;
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
        REQUIRE(view_of(all, view, i, kBytes) == view_of(half, view, i % 4, kBytes));
      }
    }
    CHECK(view_of(all, 0, 0, kBytes) != view_of(all, 1, 0, kBytes));
    if (step >= 7) {
      const HostBatch again = late.next();
      CHECK(again.step == step);
      CHECK(std::equal(again.images.begin(), again.images.end(), all.images.begin(), all.images.end()));
    }
    whole.recycle(std::move(all));
  }
  CHECK_THROWS_AS(whole.next(), Error);
}

TEST_CASE("an unreadable image is named, or replaced by the next") {
  const SmallSet set(17);
  const Dataset dataset = Dataset::open(set.path);
  Loader strict(dataset, Sampler(40, 40, 5), views_of(16), {.num_workers = 2}, plan(0, 1, 0, 1));
  CHECK_THROWS_WITH(strict.next(), Catch::Matchers::Contains("image17"));

  log::configure(log::Level::kQuiet, false);
  Loader lenient(dataset, Sampler(40, 40, 5), views_of(16),
                 {.num_workers = 2, .corrupt_policy = CorruptPolicy::kReplace}, plan(0, 1, 0, 1));
  const HostBatch batch = lenient.next();
  CHECK(batch.sample_ids.size() == 40);
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
