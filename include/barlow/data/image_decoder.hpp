// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "barlow/data/dataset.hpp"
#include "barlow/data/image.hpp"

namespace barlow::data {

/// Images with more pixels are refused, as PIL refuses them: a few bytes could ask for all memory.
inline constexpr std::int64_t kMaxPixels = 178'956'970;

/// Finds what an image file is by its first bytes (not by its name) and reads its size; the label is -1.
/// @throws DataError saying what was found instead of a JPEG or PNG image.
SampleInfo identify_image(std::span<const std::uint8_t> bytes);

/// Turns stored bytes into RGB as PIL's `Image.open(f).convert("RGB")` does: EXIF orientation ignored, CMYK and YCCK
/// (Adobe's inverted form too), grey, palette, 16-bit and alpha PNG converted. Holds the decompressors: one per thread.
class ImageDecoder {
 public:
  ImageDecoder();
  ~ImageDecoder();
  ImageDecoder(ImageDecoder&&) noexcept;
  ImageDecoder& operator=(ImageDecoder&&) noexcept;

  /// @param bytes  a sample as Dataset::read gives it
  /// @param out    receives the pixels; its memory is reused
  /// @throws DataError saying what the decoder found (truncated, corrupt, unsupported), without naming the sample.
  void decode(std::span<const std::uint8_t> bytes, const SampleInfo& info, Image& out);
  /// Reads a sample of a set into `bytes` and decodes it. @throws DataError naming the sample.
  void read(const Dataset& dataset, std::int64_t index, std::vector<std::uint8_t>& bytes, Image& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace barlow::data
