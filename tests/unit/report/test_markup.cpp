// SPDX-License-Identifier: Apache-2.0
#include <png.h>

#include <cmath>
#include <vector>

#include "barlow/base/error.hpp"
#include "markup.hpp"
#include "support/catch.hpp"

using namespace barlow::report;

namespace {

std::vector<std::uint8_t> decode_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    count += 6;
    if (count >= 8) bytes.push_back(static_cast<std::uint8_t>(bits >> (count -= 8)));
  }
  return bytes;
}

}  // namespace

TEST_CASE("text of a user cannot become markup", "[report]") {
  CHECK(escape("<script>a && \"b\" 'c'</script>") ==
        "&lt;script&gt;a &amp;&amp; &quot;b&quot; &#39;c&#39;&lt;/script&gt;");
}

TEST_CASE("numbers are written for people", "[report]") {
  CHECK(to_number(0) == "0");
  CHECK(to_number(437.7191) == "437.7");
  CHECK(to_number(1234567) == "1,234,567");
  CHECK(to_number(-1234) == "-1,234");
  CHECK(to_number(999999) == "999,999");
  CHECK(to_number(0.0384) == "0.0384");
  CHECK(to_number(1.23e-6) == "1.23e-06");
  CHECK(to_number(std::nan("")) == "–");
  CHECK(to_tick(1500) == "1.5k");
  CHECK(to_tick(2e6) == "2M");
  CHECK(to_tick(0.02) == "0.02");
}

TEST_CASE("an embedded image holds the pixels", "[report]") {
  // 1 to 7 columns: every length of the last group of base64 comes up.
  for (std::int64_t width = 1; width < 8; ++width) {
    std::vector<std::uint8_t> pixels;
    for (std::int64_t i = 0; i < width * 3 * 3; ++i) pixels.push_back(static_cast<std::uint8_t>(37 * i + width));
    const std::string url = png_url(pixels, width, 3, 3);
    const std::string prefix = "data:image/png;base64,";
    REQUIRE(url.starts_with(prefix));
    CHECK((url.size() - prefix.size()) % 4 == 0);
    const auto file = decode_base64(url.substr(prefix.size()));
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_memory(&image, file.data(), file.size()) != 0);
    CHECK(image.width == static_cast<png_uint_32>(width));
    CHECK(image.height == 3);
    image.format = PNG_FORMAT_RGB;
    std::vector<std::uint8_t> decoded(PNG_IMAGE_SIZE(image));
    REQUIRE(png_image_finish_read(&image, nullptr, decoded.data(), 0, nullptr) != 0);
    CHECK(decoded == pixels);
  }
  CHECK_THROWS_AS(png_url(std::vector<std::uint8_t>(5), 1, 1, 3), barlow::ShapeError);
}
