// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "barlow/data/dataset.hpp"
#include "barlow/data/image.hpp"

namespace barlow::data {

/// A libjpeg decompressor, kept between images.
class JpegDecoder {
 public:
  JpegDecoder();
  ~JpegDecoder();
  JpegDecoder(JpegDecoder&&) noexcept;
  JpegDecoder& operator=(JpegDecoder&&) noexcept;

  /// @throws DataError.
  void decode(std::span<const std::uint8_t> bytes, Image& out);
  SampleInfo identify(std::span<const std::uint8_t> bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace barlow::data
