// SPDX-License-Identifier: Apache-2.0
#include "png_decoder.hpp"

#include <png.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "barlow/base/error.hpp"
#include "barlow/data/image_decoder.hpp"

namespace barlow::data {
namespace {

/// One PNG file being read. libpng reports errors by longjmp: entry points set the jump and hold no C++ objects.
class PngReader {
 public:
  explicit PngReader(std::span<const std::uint8_t> bytes) : rest_(bytes), file_bytes_(bytes.size()) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_ == nullptr) throw Error("libpng cannot start");
    png_info_ = png_create_info_struct(png_);
    // What is not pixels (-1: known or not) is passed over: a chunk's declared size, or the text that it inflates to,
    // must not decide about memory.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_chunk_malloc_max(png_, png_alloc_size_t{64} << 20);
    png_set_user_limits(png_, 1 << 20, 1 << 20);
    png_set_read_fn(png_, this, on_read);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &png_info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  void read_header() {
    if (!try_header()) throw DataError(std::string("PNG: ") + message_);
    if (std::int64_t{width()} * height() > kMaxPixels) throw DataError("PNG: the image has too many pixels");
  }

  void decode(Image& out) {
    // Before memory is taken for what a header of 33 bytes says.
    if (stored_bytes_ / kMaxDeflateRatio > file_bytes_) throw DataError("PNG: the file ends before the image does");
    out.resize(width(), height());
    const std::size_t row_bytes = png_get_rowbytes(png_, png_info_);
    // Interlaced images are complete only after the last pass, so all rows are kept.
    const bool is_interlaced = png_get_interlace_type(png_, png_info_) != PNG_INTERLACE_NONE;
    std::vector<std::uint8_t> rows(row_bytes * (is_interlaced ? static_cast<std::size_t>(height()) : 1));
    read_palette();
    if (!try_rows(rows.data(), is_interlaced ? row_bytes : 0, is_interlaced ? num_passes_ - 1 : 0, out))
      throw DataError(std::string("PNG: ") + message_);
  }

  int width() const { return static_cast<int>(png_get_image_width(png_, png_info_)); }
  int height() const { return static_cast<int>(png_get_image_height(png_, png_info_)); }
  int channels() const { return png_get_channels(png_, png_info_); }

 private:
  static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self->message_, sizeof self->message_, "%s", message);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep target, std::size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->rest_.size()) png_error(png, "the file ends before the image does");
    std::memcpy(target, self->rest_.data(), count);
    self->rest_ = self->rest_.subspan(count);
  }

  bool try_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_info(png_, png_info_);
    bit_depth_ = png_get_bit_depth(png_, png_info_);
    color_type_ = png_get_color_type(png_, png_info_);
    stored_bytes_ = png_get_rowbytes(png_, png_info_) * png_get_image_height(png_, png_info_);
    png_set_packing(png_);  // 1, 2 and 4 bits: one value per byte
    num_passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, png_info_);
    return true;
  }

  bool try_rows(std::uint8_t* rows, std::size_t stride, int num_silent_passes, Image& out) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    for (int pass = 0; pass < num_silent_passes; ++pass) {
      for (int y = 0; y < out.height; ++y) png_read_row(png_, rows + static_cast<std::size_t>(y) * stride, nullptr);
    }
    for (int y = 0; y < out.height; ++y) {
      std::uint8_t* row = rows + static_cast<std::size_t>(y) * stride;
      png_read_row(png_, row, nullptr);
      convert_row(row, out.width, out.row(y));
    }
    return true;
  }

  void read_palette() {
    // PIL starts from a grey ramp: an index beyond the file's palette shows it.
    for (std::size_t i = 0; i < 256; ++i)
      palette_[i] = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i)};
    png_colorp colors = nullptr;
    int count = 0;
    if (png_get_PLTE(png_, png_info_, &colors, &count) == 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count) && i < 256; ++i)
      palette_[i] = {colors[i].red, colors[i].green, colors[i].blue};
  }

  /// PIL's choice for each kind: alpha is dropped without blending, 16-bit colours keep their high byte, but 16-bit
  /// grey becomes a 32-bit integer image that is clipped at 255.
  void convert_row(const std::uint8_t* in, int width, std::uint8_t* rgb) const {
    const bool is_wide = bit_depth_ == 16;
    const std::size_t value_bytes = is_wide ? 2 : 1;
    const bool has_colors = (color_type_ & PNG_COLOR_MASK_COLOR) != 0;
    const bool has_alpha = (color_type_ & PNG_COLOR_MASK_ALPHA) != 0;
    const std::size_t step =
        value_bytes * ((has_colors && color_type_ != PNG_COLOR_TYPE_PALETTE ? 3u : 1u) + has_alpha);
    const int scale = bit_depth_ < 8 ? 255 / ((1 << bit_depth_) - 1) : 1;
    for (int x = 0; x < width; ++x, in += step, rgb += 3) {
      if (color_type_ == PNG_COLOR_TYPE_PALETTE) {
        std::memcpy(rgb, palette_[in[0]].data(), 3);
      } else if (has_colors) {
        for (std::size_t c = 0; c < 3; ++c) rgb[c] = in[c * value_bytes];
      } else {
        const int grey = is_wide && !has_alpha ? (in[0] != 0 ? 255 : in[1]) : in[0] * scale;
        std::memset(rgb, grey, 3);
      }
    }
  }

  static constexpr std::size_t kMaxDeflateRatio = 1032;  // zlib's technical notes

  std::span<const std::uint8_t> rest_;
  std::size_t file_bytes_, stored_bytes_ = 0;
  png_structp png_ = nullptr;
  png_infop png_info_ = nullptr;
  int bit_depth_ = 8, color_type_ = 0, num_passes_ = 1;
  std::array<std::array<std::uint8_t, 3>, 256> palette_{};
  char message_[128] = "";
};

}  // namespace

void decode_png(std::span<const std::uint8_t> bytes, Image& out) {
  PngReader reader(bytes);
  reader.read_header();
  reader.decode(out);
}

SampleInfo identify_png(std::span<const std::uint8_t> bytes) {
  PngReader reader(bytes);
  reader.read_header();
  return {
      Encoding::kPng, reader.width(), reader.height(), reader.channels(), -1, static_cast<std::int64_t>(bytes.size())};
}

}  // namespace barlow::data
