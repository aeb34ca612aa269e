// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <set>

#include "barlow/base/random.hpp"
#include "support/catch.hpp"

using barlow::philox4x32;
using barlow::RandomStream;

// Known answers published with the Random123 library.
TEST_CASE("philox gives the published numbers") {
  CHECK(philox4x32({0, 0, 0, 0}, 0) == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({~0U, ~0U, ~0U, ~0U}, ~0ULL) ==
        std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822ULL) ==
        std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is a function of its name") {
  const auto draw = [](std::uint64_t seed, RandomStream::Purpose purpose, std::uint64_t a, std::uint32_t b) {
    RandomStream stream(seed, purpose, a, b);
    stream.next_u64();
    stream.next_u64();
    return stream.next_u64();  // beyond the first block
  };
  using enum RandomStream::Purpose;
  CHECK(draw(1, kAugmentation, 2, 3) == draw(1, kAugmentation, 2, 3));
  const std::set<std::uint64_t> different = {draw(1, kAugmentation, 2, 3), draw(2, kAugmentation, 2, 3),
                                             draw(1, kPermutation, 2, 3),  draw(1, kAugmentation, 3, 3),
                                             draw(1, kAugmentation, 2, 4), draw(1, kAugmentation, 2 + (1ULL << 32), 3)};
  CHECK(different.size() == 6);
}

TEST_CASE("uniform numbers fill their range evenly") {
  RandomStream stream(7, RandomStream::Purpose::kSynthetic, 0);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0;
  std::array<int, 10> counts{};
  for (int i = 0; i < kDraws; ++i) {
    const double u = stream.next_uniform();
    REQUIRE((u >= 0 && u < 1));
    sum += u;
    squares += u * u;
    ++counts[static_cast<std::size_t>(stream.next_below(10))];
  }
  // Five standard deviations.
  CHECK(std::abs(sum / kDraws - 0.5) < 5 * std::sqrt(1.0 / 12 / kDraws));
  CHECK(std::abs(squares / kDraws - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / kDraws));
  for (const int count : counts) CHECK(std::abs(count - kDraws / 10) < 5 * std::sqrt(kDraws * 0.09));
}
