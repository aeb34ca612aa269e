// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "barlow/base/file_descriptor.hpp"
#include "barlow/data/dataset.hpp"
#include "barlow/data/fingerprint.hpp"

namespace barlow::data {

/// What a shard says of the set that it belongs to.
struct SetDescription {
  std::vector<std::string> class_names;  ///< empty: no labels
  std::string fingerprint;               ///< of the whole set (set_fingerprint)
  std::int64_t set_size = 0;             ///< samples in all shards
  std::int64_t shard_index = 0;
  std::int64_t shard_count = 1;
};

/// Writes one shard (data_tools/FORMAT.md). The pixels go straight to their final place in the file; what describes
/// them is kept in memory (about 100 bytes a sample) until finish(), which writes the file's head last: an unfinished
/// file is no HDF5 file and cannot be taken for a shard.
class ShardWriter {
 public:
  /// Replaces `path`. @throws StorageError with the system's reason.
  explicit ShardWriter(std::filesystem::path path);
  ShardWriter(ShardWriter&&) noexcept = default;
  ShardWriter& operator=(ShardWriter&&) = delete;
  /// Removes the file unless finish() has succeeded.
  ~ShardWriter();

  /// Appends a sample; `info.size_bytes` is taken from `bytes`. @throws StorageError (no space, quota).
  void append(const SampleInfo& info, const std::string& source_name, std::span<const std::uint8_t> bytes);

  /// After the last sample: brings what is left in memory of the pixels to the file. @throws StorageError.
  void end_samples();

  std::int64_t size() const { return static_cast<std::int64_t>(digests_.size()); }
  std::int64_t size_bytes() const { return offsets_.back(); }
  /// One per sample so far: the input of set_fingerprint.
  const std::vector<Digest>& digests() const { return digests_; }

  /// Completes the file and brings it to the disk (fsync). @throws StorageError.
  void finish(const SetDescription& set);

 private:
  void write_metadata(const std::filesystem::path& path, const SetDescription& set) const;
  void merge_metadata(const std::filesystem::path& path);
  void write_at(std::int64_t position, std::span<const std::uint8_t> bytes);
  void flush();

  std::filesystem::path path_;
  FileDescriptor file_;
  bool finished_ = false;
  std::int64_t payload_position_ = 0;
  std::vector<std::uint8_t> pending_;
  std::int64_t num_written_ = 0;
  std::vector<std::int64_t> offsets_{0};
  std::vector<std::int32_t> labels_, sizes_;
  std::vector<std::uint8_t> encodings_;
  std::vector<std::uint32_t> checksums_;
  std::string names_;
  std::vector<std::int64_t> name_offsets_{0};
  std::vector<Digest> digests_;
};

}  // namespace barlow::data
