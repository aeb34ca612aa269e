// SPDX-License-Identifier: Apache-2.0
#include "seed_images.hpp"

#include <png.h>

#include <cstdio>
#include <cstdlib>
// jpeglib.h needs size_t and FILE, and sorts after them.
#include <jpeglib.h>

namespace barlow::fuzz {
namespace {

constexpr int kWidth = 19, kHeight = 13;

std::uint8_t value_at(int x, int y, int channel) { return static_cast<std::uint8_t>(7 * x + 11 * y + 50 * channel); }

struct JpegKind {
  J_COLOR_SPACE space;
  int channels;
  bool progressive, arithmetic;
  int restart_interval, sampling;
};

std::vector<std::uint8_t> jpeg(const JpegKind& kind) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = kWidth, info.image_height = kHeight;
  info.input_components = kind.channels, info.in_color_space = kind.space;
  jpeg_set_defaults(&info);
  if (kind.progressive) jpeg_simple_progression(&info);
  info.arith_code = kind.arithmetic ? TRUE : FALSE;
  info.restart_interval = static_cast<unsigned>(kind.restart_interval);
  info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = kind.sampling;
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(kWidth * kind.channels));
  for (int y = 0; y < kHeight; ++y) {
    for (int i = 0; i < kWidth * kind.channels; ++i)
      row[static_cast<std::size_t>(i)] = value_at(i / kind.channels, y, i % kind.channels);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<std::uint8_t> bytes(memory, memory + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return bytes;
}

std::vector<std::uint8_t> png(int color_type, int depth, bool interlaced) {
  std::vector<std::uint8_t> bytes;
  png_structp writer = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(writer);
  png_set_write_fn(
      writer, &bytes,
      [](png_structp p, png_bytep data, std::size_t size) {
        auto* target = static_cast<std::vector<std::uint8_t>*>(png_get_io_ptr(p));
        target->insert(target->end(), data, data + size);
      },
      nullptr);
  png_set_IHDR(writer, info, kWidth, kHeight, depth, color_type, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette;
  for (int i = 0; i < 1 << std::min(depth, 3); ++i) palette.push_back({value_at(i, 0, 0), value_at(i, 0, 1), 9});
  if (color_type == PNG_COLOR_TYPE_PALETTE)
    png_set_PLTE(writer, info, palette.data(), static_cast<int>(palette.size()));
  png_text text{};
  char key[] = "Comment", value[] = "seed seed seed seed seed seed";
  text.compression = PNG_TEXT_COMPRESSION_zTXt, text.key = key, text.text = value, text.text_length = sizeof value - 1;
  if (color_type == PNG_COLOR_TYPE_RGB) png_set_text(writer, info, &text, 1);
  png_write_info(writer, info);
  const std::size_t row_bytes = png_get_rowbytes(writer, info);
  std::vector<std::vector<std::uint8_t>> rows;
  std::vector<png_bytep> pointers;
  for (int y = 0; y < kHeight; ++y) {
    rows.emplace_back(row_bytes);
    for (std::size_t i = 0; i < row_bytes; ++i)
      rows.back()[i] =
          color_type == PNG_COLOR_TYPE_PALETTE ? static_cast<std::uint8_t>(i % 2) : value_at(static_cast<int>(i), y, 0);
  }
  for (auto& row : rows) pointers.push_back(row.data());
  png_write_image(writer, pointers.data());
  png_write_end(writer, info);
  png_destroy_write_struct(&writer, &info);
  return bytes;
}

}  // namespace

Seeds seed_images() {
  return {
      {"grey.jpg", jpeg({JCS_GRAYSCALE, 1, false, false, 0, 1})},
      {"color.jpg", jpeg({JCS_RGB, 3, false, false, 0, 2})},
      {"restarts.jpg", jpeg({JCS_RGB, 3, false, false, 1, 1})},
      {"progressive.jpg", jpeg({JCS_RGB, 3, true, false, 0, 2})},
      {"arithmetic.jpg", jpeg({JCS_RGB, 3, true, true, 0, 1})},
      {"cmyk.jpg", jpeg({JCS_CMYK, 4, false, false, 0, 1})},
      {"grey1.png", png(PNG_COLOR_TYPE_GRAY, 1, false)},
      {"grey4.png", png(PNG_COLOR_TYPE_GRAY, 4, true)},
      {"grey16.png", png(PNG_COLOR_TYPE_GRAY, 16, false)},
      {"grey_alpha.png", png(PNG_COLOR_TYPE_GRAY_ALPHA, 8, true)},
      {"palette.png", png(PNG_COLOR_TYPE_PALETTE, 8, false)},
      {"palette2.png", png(PNG_COLOR_TYPE_PALETTE, 2, true)},
      {"color.png", png(PNG_COLOR_TYPE_RGB, 8, false)},
      {"color_alpha16.png", png(PNG_COLOR_TYPE_RGB_ALPHA, 16, true)},
  };
}

}  // namespace barlow::fuzz
