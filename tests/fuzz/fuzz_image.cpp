// SPDX-License-Identifier: Apache-2.0
// A JPEG or PNG file: identify_image and ImageDecoder. Most mutations would end at a PNG chunk's checksum, so those are
// put right.
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "barlow/data/image_decoder.hpp"
#include "support.hpp"

using namespace barlow;
using namespace barlow::fuzz;

namespace {

/// Larger images are read no differently, only more slowly.
constexpr std::int64_t kMaxPixels = 1 << 18;
constexpr std::size_t kPngHead = 8;

std::uint32_t big_endian(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

void mend_png(std::span<std::uint8_t> file) {
  for (std::size_t at = kPngHead; at + 12 <= file.size();) {
    const std::size_t length = big_endian(&file[at]);
    if (length > file.size() - at - 12) return;
    const auto sum = static_cast<std::uint32_t>(crc32(0, &file[at + 4], static_cast<uInt>(length + 4)));
    for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += length + 12;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 16 != 0 && size > kPngHead && data[0] == 0x89) mend_png({data, size});
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static data::ImageDecoder decoder;
  read_or_refuse([&] {
    const data::SampleInfo info = data::identify_image({data, size});
    require(info.width > 0 && info.height > 0, "an image has pixels");
    require(std::int64_t{info.width} * info.height <= data::kMaxPixels, "an image has a limit");
    if (std::int64_t{info.width} * info.height > kMaxPixels) return;
    data::Image image;
    decoder.decode({data, size}, info, image);
    require(image.width == info.width && image.height == info.height, "an image has the size that its header says");
    require(image.pixels.size() == static_cast<std::size_t>(info.width) * static_cast<std::size_t>(info.height) * 3,
            "every pixel is there");
  });
  return 0;
}
