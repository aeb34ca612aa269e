// SPDX-License-Identifier: Apache-2.0
// Sources that are arrays of raw pixels: IDX (the MNIST family) and CIFAR's binaries.
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "barlow/base/error.hpp"
#include "source.hpp"

namespace barlow::data_tools {
namespace fs = std::filesystem;
namespace {

/// The largest array taken into memory: Infinite MNIST's 8 million digits fit, a gzip bomb does not.
constexpr std::size_t kMaxArrayBytes = std::size_t{8} << 30;

/// Four times Infinite MNIST. A list of images takes a hundred bytes for each, and an image may be one pixel.
constexpr std::int64_t kMaxImages = 1 << 25;

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw DataError("\"" + path.string() + "\": " + what);
}

/// A file's content, decompressed if it is gzip.
std::vector<std::uint8_t> read_array(const fs::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) refuse(path, "cannot be opened");
  std::vector<std::uint8_t> content;
  std::vector<std::uint8_t> piece(1 << 20);
  for (;;) {
    const int count = gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()));
    if (count > 0) content.insert(content.end(), piece.begin(), piece.begin() + count);
    if (content.size() > kMaxArrayBytes) refuse(path, "more than 8 GiB of pixels");
    int code = Z_OK;
    const char* reason = gzerror(file.get(), &code);
    if (code == Z_BUF_ERROR) refuse(path, "the compressed file ends early (truncated?)");
    if (count < 0) refuse(path, std::string("cannot be decompressed: ") + reason);
    if (count == 0) return content;
  }
}

struct IdxArray {
  std::vector<std::int64_t> dims;
  std::int64_t data_offset = 0;
  std::vector<std::uint8_t> content;
};

/// Layout: 0, 0, type, rank, then rank big-endian 32-bit sizes, then the values.
IdxArray read_idx(const fs::path& path) {
  IdxArray array;
  array.content = read_array(path);
  const auto& bytes = array.content;
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0 || bytes[3] == 0 || bytes[3] > 4)
    refuse(path, "not an IDX file");
  if (bytes[2] != 0x08) refuse(path, "an IDX file of another type than unsigned 8-bit");
  const std::size_t rank = bytes[3];
  array.data_offset = static_cast<std::int64_t>(4 + 4 * rank);
  if (bytes.size() < 4 + 4 * rank) refuse(path, "the file ends in its header (truncated?)");
  std::int64_t count = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    std::int64_t size = 0;
    for (std::size_t b = 0; b < 4; ++b) size = size << 8 | bytes[4 + 4 * d + b];
    array.dims.push_back(size);
    if (size != 0 && count > static_cast<std::int64_t>(kMaxArrayBytes) / size)
      refuse(path, "its header asks for too many values");
    count *= size;
  }
  if (static_cast<std::int64_t>(bytes.size()) - array.data_offset != count) {
    refuse(path, "its header says " + std::to_string(count) + " values, it holds " +
                     std::to_string(static_cast<std::int64_t>(bytes.size()) - array.data_offset) + " (truncated?)");
  }
  return array;
}

/// train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, with or without .gz; empty if there is none.
fs::path find_labels(const fs::path& images) {
  std::string name = images.filename().string();
  const auto replace = [&](const std::string& from, const std::string& to) {
    const auto at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
    return at != std::string::npos;
  };
  if (!replace("images", "labels")) return {};
  replace("idx3", "idx1");
  const std::string other = name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name + ".gz";
  for (const std::string& candidate : {name, other}) {
    if (fs::exists(images.parent_path() / candidate)) return images.parent_path() / candidate;
  }
  return {};
}

/// The image and label files among the sources: a folder stands for its training pair.
std::pair<fs::path, fs::path> choose_idx_files(const SourceOptions& options) {
  std::vector<fs::path> images;
  fs::path labels = options.labels;
  for (fs::path path : options.paths) {
    if (fs::is_directory(path)) {
      const fs::path plain = path / "train-images-idx3-ubyte";
      path = fs::exists(plain) ? plain : fs::path(plain.string() + ".gz");
      if (!fs::exists(path)) refuse(path, "not there; name the file of images instead of its folder");
    }
    if (path.filename().string().find("labels") == std::string::npos) {
      images.push_back(path);
    } else if (labels.empty()) {
      labels = path;
    } else {
      throw ConfigError("more than one file of labels: \"" + labels.string() + "\" and \"" + path.string() + "\"");
    }
  }
  if (images.size() != 1)
    throw ConfigError("format idx takes one file of images (and one of labels), here are " +
                      std::to_string(images.size()) + "; pack training and test images into two sets");
  return {images.front(), labels.empty() ? find_labels(images.front()) : labels};
}

/// IDX files have no class names.
std::vector<std::string> number_classes(std::int32_t count) {
  std::vector<std::string> names;
  for (std::int32_t c = 0; c < count; ++c) names.push_back(std::to_string(c));
  return names;
}

void find_cifar_files(const fs::path& folder, int num_classes, std::vector<fs::path>& files) {
  if (num_classes == 100) {
    files.push_back(folder / "train.bin");
    return;
  }
  for (int b = 1; b <= 5; ++b) files.push_back(folder / ("data_batch_" + std::to_string(b) + ".bin"));
}

/// From the list that CIFAR's archives bring; numbers where it is not beside the images.
std::vector<std::string> cifar_class_names(const fs::path& folder, int num_classes) {
  const fs::path file = folder / (num_classes == 10 ? "batches.meta.txt" : "fine_label_names.txt");
  if (fs::exists(file)) {
    auto names = read_lines(file);
    if (static_cast<int>(names.size()) == num_classes) return names;
  }
  return number_classes(num_classes);
}

}  // namespace

Source open_idx(const SourceOptions& options) {
  const auto [images_path, labels_path] = choose_idx_files(options);
  IdxArray images = read_idx(images_path);
  const bool has_channels = images.dims.size() == 4 && images.dims[3] == 3;
  if (images.dims.size() != 3 && !has_channels)
    refuse(images_path, "an IDX file of " + std::to_string(images.dims.size()) + " dimensions; images have 3");
  constexpr std::int64_t kMaxSide = 1 << 16;
  if (images.dims[1] < 1 || images.dims[2] < 1 || images.dims[1] > kMaxSide || images.dims[2] > kMaxSide)
    refuse(images_path,
           "images of " + std::to_string(images.dims[2]) + "x" + std::to_string(images.dims[1]) + " pixels");
  if (images.dims[0] > kMaxImages) refuse(images_path, std::to_string(images.dims[0]) + " images are too many");
  std::vector<std::uint8_t> labels;
  if (!labels_path.empty()) {
    const IdxArray array = read_idx(labels_path);
    if (array.dims.size() != 1 || array.dims[0] != images.dims[0]) {
      refuse(labels_path, "not the labels of \"" + images_path.string() + "\": " + std::to_string(array.dims[0]) +
                              " values for " + std::to_string(images.dims[0]) + " images");
    }
    labels.assign(array.content.begin() + array.data_offset, array.content.end());
  }
  Source source;
  source.raw_height = static_cast<std::int32_t>(images.dims[1]);
  source.raw_width = static_cast<std::int32_t>(images.dims[2]);
  source.raw_channels = has_channels ? 3 : 1;
  if (!labels.empty()) source.class_names = number_classes(*std::max_element(labels.begin(), labels.end()) + 1);
  const std::int64_t image_bytes = images.dims[1] * images.dims[2] * source.raw_channels;
  for (std::int64_t i = 0; i < images.dims[0]; ++i) {
    source.items.push_back({0, labels.empty() ? -1 : labels[static_cast<std::size_t>(i)],
                            images.data_offset + i * image_bytes, image_bytes,
                            images_path.filename().string() + "[" + std::to_string(i) + "]"});
  }
  source.files.emplace_back(images_path, std::move(images.content));
  return source;
}

Source open_cifar(const SourceOptions& options, int num_classes) {
  std::vector<fs::path> files;
  for (const fs::path& path : options.paths) {
    if (fs::is_directory(path)) {
      find_cifar_files(path, num_classes, files);
    } else {
      files.push_back(path);
    }
  }
  // A record is the label (CIFAR-100: coarse, then fine), then 32x32 red, green, blue.
  const std::int64_t label_bytes = num_classes == 10 ? 1 : 2, pixel_bytes = 32 * 32 * 3;
  Source source;
  source.raw_width = source.raw_height = 32;
  source.raw_channels = 3;
  source.is_planar = true;
  source.class_names = cifar_class_names(files.front().parent_path(), num_classes);
  for (const fs::path& path : files) {
    if (!fs::exists(path)) refuse(path, "no such file; CIFAR's binary version is needed (not python, not matlab)");
    std::vector<std::uint8_t> content = read_array(path);
    const std::int64_t record_bytes = label_bytes + pixel_bytes, size = static_cast<std::int64_t>(content.size());
    if (size == 0 || size % record_bytes != 0) {
      refuse(path, "not whole records of " + std::to_string(record_bytes) + " bytes (truncated, or not CIFAR-" +
                       std::to_string(num_classes) + "'s binary version)");
    }
    for (std::int64_t r = 0; r < size / record_bytes; ++r) {
      const int label = content[static_cast<std::size_t>(r * record_bytes + label_bytes - 1)];
      if (label >= num_classes) refuse(path, "label " + std::to_string(label) + " in record " + std::to_string(r));
      source.items.push_back({static_cast<std::int32_t>(source.files.size()), label, r * record_bytes + label_bytes,
                              pixel_bytes, path.filename().string() + "[" + std::to_string(r) + "]"});
    }
    source.files.emplace_back(path, std::move(content));
  }
  return source;
}

}  // namespace barlow::data_tools
