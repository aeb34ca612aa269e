// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <string>

#include "barlow/base/error.hpp"
#include "barlow/base/random.hpp"
#include "barlow/data/image_decoder.hpp"
#include "barlow/data/jpeg_encoder.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::data;

namespace {

Image gradient(int width, int height) {
  Image image;
  image.resize(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<std::uint8_t>(255 * x / width);
      pixel[1] = static_cast<std::uint8_t>(255 * y / height);
      pixel[2] = 128;
    }
  }
  return image;
}

}  // namespace

TEST_CASE("Raw pixels come back as they are, grey three times") {
  ImageDecoder decoder;
  Image image;
  const std::vector<std::uint8_t> bytes = {1, 2, 3, 4, 5, 6};
  decoder.decode(bytes, {Encoding::kRaw, 2, 1, 3, -1, 6}, image);
  CHECK(image.width == 2);
  CHECK(image.height == 1);
  CHECK(image.pixels == bytes);
  decoder.decode(bytes, {Encoding::kRaw, 3, 2, 1, -1, 6}, image);
  CHECK(image.pixels == std::vector<std::uint8_t>{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6});
  CHECK_THROWS_AS(decoder.decode(bytes, {Encoding::kRaw, 3, 3, 1, -1, 6}, image), DataError);
  CHECK_THROWS_AS(decoder.decode(bytes, {Encoding::kRaw, 3, 1, 2, -1, 6}, image), DataError);
}

TEST_CASE("A JPEG decodes to what was encoded, and is found out by its bytes") {
  const Image image = gradient(83, 61);
  const auto bytes = encode_jpeg(image, 95);
  const SampleInfo info = identify_image(bytes);
  CHECK(info.encoding == Encoding::kJpeg);
  CHECK(info.width == 83);
  CHECK(info.height == 61);
  CHECK(info.channels == 3);
  Image decoded;
  // A wrong description does not matter: the bytes say what they are.
  ImageDecoder().decode(bytes, {Encoding::kPng, 1, 1, 1, -1, 0}, decoded);
  REQUIRE(decoded.pixels.size() == image.pixels.size());
  int worst = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    worst = std::max(worst, std::abs(int{image.pixels[i]} - int{decoded.pixels[i]}));
  CHECK(worst <= 12);
}

TEST_CASE("An image too long for a JPEG file is refused as an image") {
  Image image;
  image.resize(65501, 1);
  CHECK_THROWS_AS(encode_jpeg(image, 90), DataError);
  CHECK_THROWS_WITH(encode_jpeg(image, 90), contains("65500"));
}

TEST_CASE("A decoder that has refused an image decodes the next one") {
  ImageDecoder decoder;
  const auto bytes = encode_jpeg(gradient(64, 64), 80);
  const SampleInfo info = identify_image(bytes);
  Image expected, image;
  ImageDecoder().decode(bytes, info, expected);
  for (std::size_t size = 0; size < bytes.size(); size += 13) {
    CHECK_THROWS_AS(decoder.decode(std::span(bytes).first(size), info, image), DataError);
    if (size % 5 == 0) {
      decoder.decode(bytes, info, image);
      CHECK(image.pixels == expected.pixels);
    }
  }
  decoder = ImageDecoder();
  decoder.decode(bytes, info, image);
  CHECK(image.pixels == expected.pixels);
}

TEST_CASE("Damaged files are refused or decoded, and nothing else happens") {
  // Under the sanitizers this is the fuzz test of the decoders' callers.
  const auto whole = encode_jpeg(gradient(40, 40), 70);
  RandomStream random(7, RandomStream::Purpose::kSynthetic, 0);
  ImageDecoder decoder;
  Image image;
  int num_refused = 0;
  for (int trial = 0; trial < 500; ++trial) {
    auto bytes = whole;
    for (int change = 0; change < 4; ++change)
      bytes[random.next_below(bytes.size())] = static_cast<std::uint8_t>(random.next_u32());
    try {
      decoder.decode(bytes, identify_image(bytes), image);
    } catch (const DataError&) {
      ++num_refused;
    }
  }
  CHECK(num_refused > 0);
  CHECK(num_refused < 500);
}

TEST_CASE("Other kinds of files are named by what they begin with") {
  const std::string text = "GIF89a";
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  CHECK_THROWS_WITH(identify_image(bytes), contains("47 49 46"));
  CHECK_THROWS_WITH(identify_image({}), contains("empty"));
}

TEST_CASE("A file that claims more pixels than is credible is refused before memory is taken") {
  auto bytes = encode_jpeg(gradient(16, 16), 90);
  for (std::size_t i = 0; i + 8 < bytes.size(); ++i) {
    if (bytes[i] == 0xFF && bytes[i + 1] == 0xC0) {  // the frame header: length, precision, height, width
      for (std::size_t at = i + 5; at < i + 9; ++at) bytes[at] = 0xFD;
      break;
    }
  }
  CHECK_THROWS_WITH(identify_image(bytes), contains("too many pixels"));
}
