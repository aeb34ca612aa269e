// SPDX-License-Identifier: Apache-2.0
// A part of a resized image; the whole equals PIL's (tests/oracle/augmentation).
#include <algorithm>
#include <random>

#include "barlow/data/augmentation.hpp"
#include "resample.hpp"
#include "support/catch.hpp"

using namespace barlow::data;

namespace {

Image noise(int width, int height, std::mt19937& random) {
  Image image;
  image.resize(width, height);
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(random());
  return image;
}

std::vector<std::uint8_t> resized(const Image& image, const Resize& what) {
  AugmentationScratch scratch;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(what.part.width) * static_cast<std::size_t>(what.part.height) *
                                3);
  resize(image, what, scratch, out);
  return out;
}

}  // namespace

TEST_CASE("A part of a resize is that part of the whole, bit for bit") {
  std::mt19937 random(7);
  const auto in = [&](int low, int high) { return std::uniform_int_distribution(low, high)(random); };
  for (int round = 0; round < 300; ++round) {
    const Image image = noise(in(1, 90), in(1, 90), random);
    Resize what{};
    what.box.width = in(1, image.width);
    what.box.height = in(1, image.height);
    what.box.left = in(0, image.width - what.box.width);
    what.box.top = in(0, image.height - what.box.height);
    what.width = in(0, 4) == 0 ? what.box.width : in(1, 120);
    what.height = in(0, 4) == 0 ? what.box.height : in(1, 120);
    what.filter = in(0, 1) == 0 ? Filter::kBilinear : Filter::kBicubic;
    what.part = {0, 0, what.width, what.height};
    const auto whole = resized(image, what);
    what.part.width = in(1, what.width);
    what.part.height = in(1, what.height);
    what.part.left = in(0, what.width - what.part.width);
    what.part.top = in(0, what.height - what.part.height);
    std::vector<std::uint8_t> expected;
    for (int y = 0; y < what.part.height; ++y) {
      const auto row = whole.begin() + 3 * ((what.part.top + y) * what.width + what.part.left);
      expected.insert(expected.end(), row, row + 3 * what.part.width);
    }
    INFO(image.width << "x" << image.height << " to " << what.width << "x" << what.height);
    REQUIRE(resized(image, what) == expected);
  }
}

TEST_CASE("The centre of a thin image costs no more memory than the centre") {
  std::mt19937 random(7);
  for (const auto& [width, height] : {std::pair(20000, 1), std::pair(1, 20000)}) {  // 5 million pixels by 256
    const Image image = noise(width, height, random);
    AugmentationScratch scratch;
    std::vector<std::uint8_t> out(224 * 224 * 3);
    resize_center_crop(image, 256, 224, scratch, out);
    CHECK(scratch.rows.capacity() <= 224 * 224 * 3);
    CHECK(scratch.columns.capacity() <= 1 << 20);
  }
}
