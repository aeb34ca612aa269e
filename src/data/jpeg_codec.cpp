// SPDX-License-Identifier: Apache-2.0
#include "jpeg_codec.hpp"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "barlow/base/error.hpp"
#include "barlow/data/image_decoder.hpp"
#include "barlow/data/jpeg_encoder.hpp"
// jpeglib.h needs size_t and FILE, and sorts after them.
#include <jpeglib.h>

namespace barlow::data {
namespace {

/// libjpeg reports an error by a call that must not return; it jumps back to the entry point, which throws.
struct ErrorManager {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];

  jpeg_error_mgr* install() {
    jpeg_std_error(&base);
    base.error_exit = [](j_common_ptr info) {
      auto* self = reinterpret_cast<ErrorManager*>(info->err);
      info->err->format_message(info, self->message);
      std::longjmp(self->jump, 1);
    };
    base.output_message = [](j_common_ptr) {};
    return &base;
  }
};

/// Ten scans are usual. Each may cost a pass over the whole image and take a dozen bytes, so a small file of very many
/// would take hours; libjpeg-turbo's own programs have this limit too.
constexpr int kMaxScans = 500;

[[noreturn]] void fail_with(j_common_ptr info, const char* what) {
  auto* self = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(self->message, sizeof self->message, "%s", what);
  std::longjmp(self->jump, 1);
}

[[noreturn]] void fail_truncated(j_decompress_ptr info) {
  fail_with(reinterpret_cast<j_common_ptr>(info), "the file ends before the image does");
}

/// libjpeg calls it once for every row of blocks.
void limit_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) fail_with(info, "it has too many scans");
}

void set_source(jpeg_decompress_struct& info, jpeg_source_mgr& source, std::span<const std::uint8_t> bytes) {
  source.next_input_byte = bytes.data();
  source.bytes_in_buffer = bytes.size();
  source.init_source = [](j_decompress_ptr) {};
  source.term_source = [](j_decompress_ptr) {};
  // libjpeg's own memory source pads a short file with an end marker and goes on; PIL and we refuse it.
  source.fill_input_buffer = [](j_decompress_ptr d) -> boolean { fail_truncated(d); };
  source.skip_input_data = [](j_decompress_ptr d, long count) {
    if (count <= 0) return;
    if (static_cast<std::size_t>(count) > d->src->bytes_in_buffer) fail_truncated(d);
    d->src->next_input_byte += count;
    d->src->bytes_in_buffer -= static_cast<std::size_t>(count);
  };
  source.resync_to_restart = jpeg_resync_to_restart;
  info.src = &source;
}

/// What PIL computes for a stored CMYK pixel, which it takes as inverted (Adobe's form) whatever the file says.
void convert_cmyk_row(const std::uint8_t* cmyk, int width, std::uint8_t* rgb) {
  for (int x = 0; x < width; ++x) {
    const int black = cmyk[4 * x + 3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[4 * x + c]) * black + 128;
      const int value = black - ((product >> 8) + product) / 256;
      rgb[3 * x + c] = static_cast<std::uint8_t>(value < 0 ? 0 : value);
    }
  }
}

}  // namespace

struct JpegDecoder::Impl {
  ErrorManager errors;
  jpeg_decompress_struct info{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::vector<std::uint8_t> cmyk_row;

  Impl() {
    info.err = errors.install();
    if (setjmp(errors.jump) != 0) throw Error(std::string("libjpeg: ") + errors.message);
    jpeg_create_decompress(&info);
    progress.progress_monitor = limit_scans;
    info.progress = &progress;
  }
  ~Impl() { jpeg_destroy_decompress(&info); }

  /// Null, or libjpeg's reason. Between setjmp and return stand only objects without destructors.
  const char* read_header(std::span<const std::uint8_t> bytes) {
    if (setjmp(errors.jump) != 0) return errors.message;
    set_source(info, source, bytes);
    jpeg_read_header(&info, TRUE);
    return nullptr;
  }

  const char* decode_rows(Image& out) {
    if (setjmp(errors.jump) != 0) return errors.message;
    info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      std::uint8_t* target = out.row(static_cast<int>(info.output_scanline));
      JSAMPROW row = info.num_components == 4 ? cmyk_row.data() : target;
      jpeg_read_scanlines(&info, &row, 1);
      if (info.num_components == 4) convert_cmyk_row(row, out.width, target);
    }
    jpeg_finish_decompress(&info);
    return nullptr;
  }

  void open(std::span<const std::uint8_t> bytes) {
    const char* reason = read_header(bytes);
    if (reason == nullptr && std::int64_t{info.image_width} * info.image_height > kMaxPixels)
      reason = "the image has too many pixels";
    if (reason == nullptr && info.num_components != 1 && info.num_components != 3 && info.num_components != 4)
      reason = "neither grey, RGB nor CMYK";
    if (reason != nullptr) fail(reason);
  }

  [[noreturn]] void fail(const char* reason) {
    const std::string what = std::string("JPEG: ") + reason;
    jpeg_abort_decompress(&info);
    throw DataError(what);
  }
};

JpegDecoder::JpegDecoder() : impl_(std::make_unique<Impl>()) {}
JpegDecoder::~JpegDecoder() = default;
JpegDecoder::JpegDecoder(JpegDecoder&&) noexcept = default;
JpegDecoder& JpegDecoder::operator=(JpegDecoder&&) noexcept = default;

void JpegDecoder::decode(std::span<const std::uint8_t> bytes, Image& out) {
  impl_->open(bytes);
  out.resize(static_cast<int>(impl_->info.image_width), static_cast<int>(impl_->info.image_height));
  if (impl_->info.num_components == 4) impl_->cmyk_row.resize(std::size_t{4} * impl_->info.image_width);
  const char* reason = impl_->decode_rows(out);
  if (reason != nullptr) impl_->fail(reason);
}

SampleInfo JpegDecoder::identify(std::span<const std::uint8_t> bytes) {
  impl_->open(bytes);
  const auto& info = impl_->info;
  const SampleInfo found{Encoding::kJpeg,
                         static_cast<std::int32_t>(info.image_width),
                         static_cast<std::int32_t>(info.image_height),
                         info.num_components,
                         -1,
                         static_cast<std::int64_t>(bytes.size())};
  jpeg_abort_decompress(&impl_->info);
  return found;
}

namespace {

struct Encoder {
  ErrorManager errors;
  jpeg_compress_struct info{};
  unsigned char* memory = nullptr;
  unsigned long size = 0;

  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(memory);
  }

  const char* encode(const Image& image, int quality) {
    info.err = errors.install();
    if (setjmp(errors.jump) != 0) return errors.message;
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &memory, &size);
    info.image_width = static_cast<JDIMENSION>(image.width);
    info.image_height = static_cast<JDIMENSION>(image.height);
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    info.optimize_coding = TRUE;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      auto* row = const_cast<JSAMPROW>(image.row(static_cast<int>(info.next_scanline)));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    return nullptr;
  }
};

}  // namespace

std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality) {
  Encoder encoder;
  const char* reason = encoder.encode(image, quality);
  if (reason != nullptr) throw DataError(std::string("cannot encode a JPEG: ") + reason);
  return {encoder.memory, encoder.memory + encoder.size};
}

}  // namespace barlow::data
