// SPDX-License-Identifier: Apache-2.0
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "barlow/base/checksum.hpp"
#include "support/catch.hpp"

using barlow::crc32_of;

TEST_CASE("CRC-32 has the check value of its catalogue", "[checksum]") {
  CHECK(crc32_of("123456789", 9) == 0xCBF43926);
  CHECK(crc32_of("", 0) == 0);
  CHECK(crc32_of(nullptr, 0, 0xCBF43926) == 0xCBF43926);
}

TEST_CASE("CRC-32 is zlib's for every length and alignment, in one piece and in two", "[checksum]") {
  std::vector<unsigned char> bytes(4096 + 17);
  std::uint32_t state = 1;
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>((state = state * 1664525 + 1013904223) >> 24);
  for (std::size_t begin = 0; begin < 17; ++begin) {
    for (const std::size_t size : {1, 2, 15, 16, 17, 63, 64, 255, 1024, 4096}) {
      const unsigned char* part = bytes.data() + begin;
      const auto expected = static_cast<std::uint32_t>(crc32_z(0, part, size));
      const std::size_t first = size / 3;
      CHECK(crc32_of(part, size) == expected);
      CHECK(crc32_of(part + first, size - first, crc32_of(part, first)) == expected);
    }
  }
}
