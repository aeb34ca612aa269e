// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "barlow/data/dataset.hpp"

namespace barlow::data {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) of bytes given piece by piece.
class Sha256 {
 public:
  void update(std::span<const std::uint8_t> bytes);
  void update(std::int64_t value);  ///< as 8 bytes, little-endian
  /// The digest of all pieces; the object is spent afterwards.
  Digest finish();

 private:
  void compress(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> pending_{};
  std::size_t num_pending_ = 0;
  std::uint64_t num_bytes_ = 0;
};

/// Of a sample's encoding, height, width, channels, label and bytes.
Digest sample_digest(const SampleInfo& info, std::span<const std::uint8_t> bytes);

/// A set's fingerprint, 64 hexadecimal digits: the digest of all samples' digests in order and of the class names.
/// Shards do not appear in it.
std::string set_fingerprint(std::span<const Digest> samples, const std::vector<std::string>& class_names);

}  // namespace barlow::data
