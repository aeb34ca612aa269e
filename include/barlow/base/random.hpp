// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace barlow {

/// Philox 4x32-10 (Salmon et al., SC 2011, "Parallel random numbers: as easy as 1, 2, 3"): a pure function from a
/// 128-bit counter and a 64-bit key to 128 random bits, so that a draw depends on what it is for and never on the rank
/// or thread that makes it.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::uint64_t key) {
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return counter;
}

/// A short stream of random numbers named by (seed, purpose, a, b): the same name gives the same numbers everywhere.
class RandomStream {
 public:
  /// What a stream is for; streams of different purposes are independent. The values are part of what a seed means.
  enum class Purpose : std::uint32_t {
    kPermutation = 1,
    kAugmentation = 2,
    kInitialWeights = 3,
    kSynthetic = 4,
    kEvaluation = 5
  };

  constexpr RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t a, std::uint32_t b = 0)
      : key_(seed * 0x9E3779B97F4A7C15ull + static_cast<std::uint32_t>(purpose)),
        counter_{0, b, static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32)} {}

  /// Uniform over all 32-bit values.
  constexpr std::uint32_t next_u32() {
    if (used_ == 4) {
      block_ = philox4x32(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }
  constexpr std::uint64_t next_u64() {
    const std::uint64_t high = next_u32();
    return high << 32 | next_u32();
  }
  /// Uniform in [0, 1), 53 bits.
  constexpr double next_uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
  constexpr double next_uniform(double low, double high) { return low + (high - low) * next_uniform(); }
  /// Uniform in [0, bound), bound > 0, without bias (Lemire's multiplication with rejection).
  constexpr std::uint64_t next_below(std::uint64_t bound) {
    const std::uint64_t threshold = (0 - bound) % bound;
    for (;;) {
      const auto product = static_cast<__uint128_t>(next_u64()) * bound;
      if (static_cast<std::uint64_t>(product) >= threshold) return static_cast<std::uint64_t>(product >> 64);
    }
  }
  constexpr bool next_bernoulli(double probability) { return next_uniform() < probability; }

 private:
  std::uint64_t key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace barlow
