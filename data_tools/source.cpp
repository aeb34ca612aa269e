// SPDX-License-Identifier: Apache-2.0
#include "source.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <string_view>
#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/base/utf8.hpp"

namespace barlow::data_tools {
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kMaxItemBytes = std::int64_t{1} << 30;

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw DataError("\"" + path.string() + "\": " + what);
}

FileDescriptor open_file(const fs::path& path) {
  FileDescriptor file(path, O_RDONLY | O_NONBLOCK);  // a pipe would have it wait
  if (!file) refuse(path, std::strerror(errno));
  return file;
}

std::int64_t size_of(const FileDescriptor& file, const fs::path& path) {
  struct stat status {};
  if (fstat(file.get(), &status) != 0) refuse(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) refuse(path, "not a regular file");
  return status.st_size;
}

bool ends_with_any(const std::string& name, std::initializer_list<const char*> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](const char* ending) { return name.ends_with(ending); });
}

/// By name and by what a folder holds.
std::string guess_format(const SourceOptions& options) {
  const fs::path& first = options.paths.front();
  const std::string name = first.filename().string();
  if (fs::is_directory(first)) {
    for (const auto& entry : fs::directory_iterator(first)) {
      const std::string inside = entry.path().filename().string();
      if (ends_with_any(inside, {"-ubyte", "-ubyte.gz"})) return "idx";
      if (inside == "data_batch_1.bin") return "cifar10";
      if (inside == "train.bin") return "cifar100";
    }
    return "folder";
  }
  if (ends_with_any(name, {"-ubyte", "-ubyte.gz", ".idx", ".idx.gz"})) return "idx";
  if (ends_with_any(name, {".tar"})) return options.labels.empty() ? "imagenet-train" : "imagenet-val";
  if (name.starts_with("data_batch") || name == "test_batch.bin") return "cifar10";
  if (name == "train.bin" || name == "test.bin") return "cifar100";
  if (ends_with_any(name, {".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"}))
    refuse(first, "a compressed archive; decompress it first: ranks read it at many places at once");
  refuse(first,
         "cannot tell what this is; name it with --format folder|imagenet-train|imagenet-val|idx|cifar10|cifar100");
}

/// A set's names are UTF-8: what reads them (h5py, JSON, a report) fails on anything else.
void require_utf8(const fs::path& path, const std::string& name) {
  if (!is_utf8(name))
    refuse(path, "the name \"" + name + "\" is not UTF-8; rename it (convmv does it for whole folders)");
}

Source list_source(const SourceOptions& options, std::vector<std::string>& warnings) {
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const fs::path& path : options.paths) {
    struct stat status {};
    if (!fs::exists(path) || stat(path.c_str(), &status) != 0) refuse(path, "no such file or folder");
    if (!seen.emplace(status.st_dev, status.st_ino).second) refuse(path, "given twice");
  }
  const std::string format = options.format == "auto" ? guess_format(options) : options.format;
  if (!options.labels.empty() && format != "idx" && format != "imagenet-val")
    throw ConfigError("--labels: the format " + format + " brings its own labels; leave it out");
  Source source = format == "folder"           ? open_folder(options, warnings)
                  : format == "imagenet-train" ? open_imagenet_train(options, warnings)
                  : format == "imagenet-val"   ? open_imagenet_validation(options, warnings)
                  : format == "idx"            ? open_idx(options)
                                               : open_cifar(options, format == "cifar10" ? 10 : 100);
  if (source.items.empty()) refuse(options.paths.front(), "no images in it");
  for (const std::string& name : source.class_names) require_utf8(options.paths.front(), name);
  for (const Item& item : source.items) require_utf8(options.paths.front(), item.name);
  return source;
}

}  // namespace

SourceFile::SourceFile(const fs::path& path, bool keep_open) : path_(path.string()) {
  if (keep_open) descriptor_ = open_file(path_);
}

SourceFile::SourceFile(const fs::path& path, std::vector<std::uint8_t> content)
    : path_(path.string()), content_(std::move(content)), in_memory_(true) {}

std::int64_t SourceFile::size_bytes() const {
  if (in_memory_) return static_cast<std::int64_t>(content_.size());
  if (descriptor_) return size_of(descriptor_, path_);
  std::error_code code;
  const auto size = fs::file_size(path_, code);
  if (code) refuse(path_, code.message());
  return static_cast<std::int64_t>(size);
}

void SourceFile::read(std::int64_t offset, std::int64_t size, std::vector<std::uint8_t>& bytes) const {
  const FileDescriptor opened = in_memory_ || descriptor_ ? FileDescriptor() : open_file(path_);
  const FileDescriptor& file = descriptor_ ? descriptor_ : opened;
  const std::int64_t total = in_memory_ ? static_cast<std::int64_t>(content_.size()) : size_of(file, path_);
  if (size < 0) size = total - offset;
  if (offset < 0 || size < 0 || size > total || offset > total - size)
    refuse(path_, "the file ends early (truncated?)");
  if (size > kMaxItemBytes) refuse(path_, "an image of " + std::to_string(size) + " bytes is more than is credible");
  if (in_memory_) {
    bytes.assign(content_.begin() + offset, content_.begin() + offset + size);
    return;
  }
  bytes.resize(static_cast<std::size_t>(size));
  const std::int64_t count = read_at(file, offset, bytes.data(), bytes.size());
  if (count < 0) refuse(path_, std::strerror(errno));
  if (count < size) refuse(path_, "the file ends early (truncated?)");
}

void Source::read(std::int64_t index, std::vector<std::uint8_t>& bytes) const {
  const Item& item = items[static_cast<std::size_t>(index)];
  files[static_cast<std::size_t>(item.file)].read(item.offset, item.size, bytes);
  if (!is_planar) return;
  const std::size_t num_pixels = bytes.size() / 3;
  std::vector<std::uint8_t> interleaved(bytes.size());
  for (std::size_t p = 0; p < num_pixels; ++p) {
    for (std::size_t c = 0; c < 3; ++c) interleaved[3 * p + c] = bytes[c * num_pixels + p];
  }
  bytes.swap(interleaved);
}

void LeftOut::report(std::vector<std::string>& warnings) const {
  if (count_ == 0) return;
  warnings.push_back("left out " + std::to_string(count_) + (count_ == 1 ? " file (" : " files (") + what_ +
                     (count_ == 1 ? "): \"" : "), first \"") + first_ + "\"");
}

std::vector<std::string> read_lines(const fs::path& path) {
  std::ifstream file(path);
  if (!file) refuse(path, std::strerror(errno));
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF", kBlanks = " \t\r";
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (lines.empty() && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    line.erase(line.find_last_not_of(kBlanks) + 1);
    lines.push_back(line);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

Source open_source(const SourceOptions& options, std::vector<std::string>& warnings) {
  try {
    return list_source(options, warnings);
  } catch (const fs::filesystem_error& error) {  // of a closed folder, a name too long, links in a circle
    refuse(error.path1(), error.code().message());
  }
}

}  // namespace barlow::data_tools
