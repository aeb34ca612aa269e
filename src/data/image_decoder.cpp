// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/image_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "barlow/base/error.hpp"
#include "jpeg_codec.hpp"
#include "png_decoder.hpp"

namespace barlow::data {
namespace {

constexpr std::array<std::uint8_t, 3> kJpegMagic = {0xFF, 0xD8, 0xFF};
constexpr std::array<std::uint8_t, 8> kPngMagic = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

bool begins_with(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

[[noreturn]] void refuse_unknown(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) throw DataError("the file is empty");
  std::string head;
  for (const std::uint8_t byte : bytes.first(std::min<std::size_t>(bytes.size(), 8)))
    head += fmt::format("{:02x} ", byte);
  throw DataError("neither a JPEG nor a PNG file (it begins with " + head + "hexadecimal)");
}

void expand_raw(std::span<const std::uint8_t> bytes, const SampleInfo& info, Image& out) {
  const auto num_pixels = static_cast<std::size_t>(std::int64_t{info.width} * info.height);
  if (std::int64_t{info.width} * info.height > kMaxPixels || (info.channels != 1 && info.channels != 3) ||
      bytes.size() != num_pixels * static_cast<std::size_t>(info.channels)) {
    throw DataError("raw: " + std::to_string(bytes.size()) + " bytes are not " + std::to_string(info.width) + "x" +
                    std::to_string(info.height) + " pixels of " + std::to_string(info.channels) + " channels");
  }
  out.resize(info.width, info.height);
  if (info.channels == 3) {
    std::copy(bytes.begin(), bytes.end(), out.pixels.begin());
  } else {
    for (std::size_t i = 0; i < num_pixels; ++i)
      std::fill_n(out.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, bytes[i]);
  }
}

}  // namespace

struct ImageDecoder::Impl {
  JpegDecoder jpeg;
};

ImageDecoder::ImageDecoder() : impl_(std::make_unique<Impl>()) {}
ImageDecoder::~ImageDecoder() = default;
ImageDecoder::ImageDecoder(ImageDecoder&&) noexcept = default;
ImageDecoder& ImageDecoder::operator=(ImageDecoder&&) noexcept = default;

void ImageDecoder::decode(std::span<const std::uint8_t> bytes, const SampleInfo& info, Image& out) {
  if (info.encoding == Encoding::kRaw) return expand_raw(bytes, info, out);
  if (begins_with(bytes, kJpegMagic)) return impl_->jpeg.decode(bytes, out);
  if (begins_with(bytes, kPngMagic)) return decode_png(bytes, out);
  refuse_unknown(bytes);
}

void ImageDecoder::read(const Dataset& dataset, std::int64_t index, std::vector<std::uint8_t>& bytes, Image& out) {
  dataset.read(index, bytes);  // its errors name the sample already
  try {
    decode(bytes, dataset.info(index), out);
  } catch (const DataError& error) {
    throw DataError(dataset.describe(index) + ": " + error.what());
  }
}

SampleInfo identify_image(std::span<const std::uint8_t> bytes) {
  if (begins_with(bytes, kJpegMagic)) return JpegDecoder().identify(bytes);
  if (begins_with(bytes, kPngMagic)) return identify_png(bytes);
  refuse_unknown(bytes);
}

}  // namespace barlow::data
