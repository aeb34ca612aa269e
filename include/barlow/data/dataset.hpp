// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace barlow::data {

/// How the bytes of one sample are to be read.
enum class Encoding : std::uint8_t {
  kRaw = 0,   ///< 8-bit pixels, [height, width, channels], channels 1 or 3
  kJpeg = 1,  ///< a JPEG file as it was
  kPng = 2,   ///< a PNG file as it was
};

/// What is known of a sample without reading its bytes.
struct SampleInfo {
  Encoding encoding;
  std::int32_t width, height, channels;  ///< as stored; channels of the raw form or of the file
  std::int32_t label;                    ///< class index, -1 when the set has none
  std::int64_t size_bytes;
};

/// True if the file says that it is a shard; it may be of another version, incomplete, or damaged further on.
bool is_shard(const std::filesystem::path& file);

/// require_writable() for a result that may replace a file, but never a shard. @throws ConfigError naming the flag.
void require_result_file(const std::string& flag, const std::filesystem::path& file);

/// A packed set of images (data_tools/FORMAT.md): one file, or a folder of shards, read-only. Samples are numbered
/// 0..size()-1 over the shards in the order of their names. Const members may be called from any number of threads.
class Dataset {
 public:
  /// Opens and checks the structure (not the bytes) of every shard.
  /// @throws DataError naming the file, what is wrong and the remedy (missing, not HDF5, incomplete, other version,
  ///         shards of different sets, a shard missing).
  static Dataset open(const std::filesystem::path& path);

  Dataset(Dataset&&) noexcept;
  Dataset& operator=(Dataset&&) noexcept;
  ~Dataset();

  std::int64_t size() const;
  const SampleInfo& info(std::int64_t index) const;
  /// Empty when the set has no labels.
  const std::vector<std::string>& class_names() const;
  /// 64 hexadecimal digits over all bytes and labels, the same however the set is cut into shards.
  const std::string& fingerprint() const;
  std::int64_t num_shards() const;
  /// Where the sample came from (path inside the source), for messages.
  std::string source_name(std::int64_t index) const;
  /// Names shard and sample, for messages: `"train-003.h5", sample 17 (n01440764/n01440764_10026.JPEG)`.
  std::string describe(std::int64_t index) const;

  /// Reads the stored bytes into `bytes` (resized), by one pread outside HDF5's lock.
  /// @throws DataError on a short read or a checksum mismatch, naming the sample.
  void read(std::int64_t index, std::vector<std::uint8_t>& bytes) const;

 private:
  struct Impl;
  explicit Dataset(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace barlow::data
