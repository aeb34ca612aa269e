// SPDX-License-Identifier: Apache-2.0
// Small files that ask for much memory or much time.
#include <sys/resource.h>
#include <zlib.h>

#include <string>

#include "barlow/base/error.hpp"
#include "barlow/data/image_decoder.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::data;

namespace {

using Bytes = std::vector<std::uint8_t>;

void append(Bytes& bytes, const Bytes& more) {
  for (const std::uint8_t byte : more) bytes.push_back(byte);
}

Bytes big_endian(std::size_t value) {
  return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
          static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

void append_chunk(Bytes& png, const std::string& type, const Bytes& data) {
  append(png, big_endian(data.size()));
  Bytes body(type.begin(), type.end());
  append(body, data);
  append(png, body);
  append(png, big_endian(crc32_z(0, body.data(), body.size())));
}

Bytes deflated(const Bytes& data) {
  uLongf size = compressBound(data.size());
  Bytes result(size);
  REQUIRE(compress(result.data(), &size, data.data(), data.size()) == Z_OK);
  result.resize(size);
  return result;
}

/// The beginning of an 8-bit image.
Bytes png_head(std::size_t width, std::size_t height, std::uint8_t color_type, bool interlaced) {
  Bytes png = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  Bytes header = big_endian(width);
  append(header, big_endian(height));
  append(header, {8, color_type, 0, 0, static_cast<std::uint8_t>(interlaced)});
  append_chunk(png, "IHDR", header);
  return png;
}

/// MB that this process has held at most.
long peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

void decode(const Bytes& bytes) {
  Image image;
  ImageDecoder().decode(bytes, identify_image(bytes), image);
}

/// A progressive grey image of 8x8 pixels, all of one value, in `num_scans` scans.
Bytes progressive_jpeg(int num_scans) {
  Bytes jpeg = {0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0};
  append(jpeg, Bytes(64, 1));
  append(jpeg, {0xFF, 0xC2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0});
  for (const std::uint8_t table : {0x00, 0x10}) {  // one code of one bit: no difference; end of block
    append(jpeg, {0xFF, 0xC4, 0, 20, table, 1});
    append(jpeg, Bytes(15, 0));
    append(jpeg, {0});
  }
  append(jpeg, {0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0, 0x7F});
  for (int scan = 1; scan < num_scans; ++scan) append(jpeg, {0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 63, 0, 0x7F});
  append(jpeg, {0xFF, 0xD9});
  return jpeg;
}

}  // namespace

TEST_CASE("Text in a PNG file is passed over, whatever it would inflate to") {
  Bytes png = png_head(2, 1, 0, false);
  const Bytes text = deflated(Bytes(60'000'000, 'a'));
  for (int i = 0; i < 4; ++i) {
    Bytes chunk = {'C', '\0', '\0'};
    append(chunk, text);
    append_chunk(png, "zTXt", chunk);
  }
  append_chunk(png, "IDAT", deflated({0, 7, 9}));
  append_chunk(png, "IEND", {});
  const long before = peak_mb();
  Image image;
  ImageDecoder().decode(png, identify_image(png), image);
  CHECK(image.pixels == Bytes{7, 7, 7, 9, 9, 9});
  CHECK(peak_mb() - before < 50);
}

TEST_CASE("A PNG chunk that claims to be larger than the file takes no memory") {
  Bytes png = png_head(2, 1, 0, false);
  append(png, {0x60, 0, 0, 0, 't', 'E', 'X', 't', 'C', '\0'});
  const long before = peak_mb();
  CHECK_THROWS_AS(identify_image(png), DataError);
  CHECK(peak_mb() - before < 50);
}

TEST_CASE("A PNG file that cannot hold its pixels is refused before memory is taken") {
  for (const bool interlaced : {false, true}) {
    Bytes png = png_head(12000, 12000, 6, interlaced);
    append_chunk(png, "IDAT", deflated(Bytes(1000, 0)));
    const long before = peak_mb();
    CHECK(identify_image(png).width == 12000);
    CHECK_THROWS_WITH(decode(png), contains("ends before the image"));
    CHECK(peak_mb() - before < 50);
  }
  Bytes blank = png_head(1000, 1000, 0, false);  // what compresses best is not refused
  append_chunk(blank, "IDAT", deflated(Bytes(1001 * 1000, 0)));
  append_chunk(blank, "IEND", {});
  CHECK_NOTHROW(decode(blank));
}

TEST_CASE("A JPEG file of very many scans is refused") {
  CHECK_NOTHROW(decode(progressive_jpeg(2)));
  CHECK_NOTHROW(decode(progressive_jpeg(400)));
  CHECK_THROWS_WITH(decode(progressive_jpeg(1000)), contains("too many scans"));
}
