// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "barlow/base/file_descriptor.hpp"
#include "barlow/data/dataset.hpp"

namespace barlow::data_tools {

/// Bytes that items are cut from: a file on disk, or the content of a compressed file in memory.
class SourceFile {
 public:
  /// Opens for reading; nothing is kept open between reads unless `keep_open` (archives of many items).
  SourceFile(const std::filesystem::path& path, bool keep_open);
  /// A file whose content is in memory already.
  SourceFile(const std::filesystem::path& path, std::vector<std::uint8_t> content);

  const std::string& path() const { return path_; }
  std::int64_t size_bytes() const;
  /// `size` < 0: to the end. @throws DataError naming the file: missing, unreadable, or shorter than the request.
  void read(std::int64_t offset, std::int64_t size, std::vector<std::uint8_t>& bytes) const;

 private:
  std::string path_;  ///< not a path object, which takes ten times the memory: a folder may hold a million files
  std::vector<std::uint8_t> content_;
  bool in_memory_ = false;
  FileDescriptor descriptor_;
};

/// One image of a source, not read yet.
struct Item {
  std::int32_t file = 0;    ///< index into Source::files
  std::int32_t label = -1;  ///< class index, -1: none
  std::int64_t offset = 0;  ///< in the file
  std::int64_t size = -1;   ///< bytes; -1: to the end of the file
  std::string name;         ///< for messages and for the set
};

/// Everything that one or more sources hold, in the order in which it is packed.
struct Source {
  std::vector<SourceFile> files;
  std::vector<Item> items;
  std::vector<std::string> class_names;  ///< empty: no labels
  /// Set for arrays of raw pixels (IDX, CIFAR): all items have this size, and `is_planar` ones store plane by plane.
  std::int32_t raw_width = 0, raw_height = 0, raw_channels = 0;
  bool is_planar = false;

  bool is_raw() const { return raw_width > 0; }
  /// The item's bytes, raw ones as [height, width, channels]. @throws DataError.
  void read(std::int64_t index, std::vector<std::uint8_t>& bytes) const;
};

struct SourceOptions {
  std::vector<std::filesystem::path> paths;
  std::string format = "auto";   ///< auto, folder, imagenet-train, imagenet-val, idx, cifar10, cifar100
  std::filesystem::path labels;  ///< empty: none given
  bool skip_empty_classes = false;
};

/// Files of a source that are no part of the set, for one reason.
class LeftOut {
 public:
  /// @param what  the reason: "left out 3 files (...), first ..."
  explicit LeftOut(std::string what) : what_(std::move(what)) {}
  void add(const std::string& name) {
    if (count_++ == 0) first_ = name;
  }
  /// Adds a line if there are any.
  void report(std::vector<std::string>& warnings) const;

 private:
  std::string what_, first_;
  std::int64_t count_ = 0;
};

/// Lists a source without reading its images. What is left out (an empty class, files that are no images) is named in
/// `warnings`.
/// @throws DataError, ConfigError naming what is wrong.
Source open_source(const SourceOptions& options, std::vector<std::string>& warnings);

/// The readers behind open_source.
Source open_folder(const SourceOptions& options, std::vector<std::string>& warnings);
Source open_imagenet_train(const SourceOptions& options, std::vector<std::string>& warnings);
Source open_imagenet_validation(const SourceOptions& options, std::vector<std::string>& warnings);
Source open_idx(const SourceOptions& options);
Source open_cifar(const SourceOptions& options, int num_classes);

/// A whole text file, cut into lines without their ends: no blanks there, no byte order mark before the first, no empty
/// lines after the last. @throws DataError.
std::vector<std::string> read_lines(const std::filesystem::path& path);

}  // namespace barlow::data_tools
