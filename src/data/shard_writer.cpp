// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/shard_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "barlow/base/checksum.hpp"
#include "barlow/base/error.hpp"
#include "barlow/data/hdf5_access.hpp"
#include "hdf5_handle.hpp"

namespace barlow::data {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{4} << 20;

[[noreturn]] void fail(const std::filesystem::path& path, int code) {
  throw StorageError("cannot write \"" + path.string() +
                     "\": " + (code != 0 ? std::strerror(code) : "HDF5 refused a write") +
                     (code == ENOSPC || code == EDQUOT ? "; make room or choose another --output" : ""));
}

/// Metadata and small data are packed without aggregation blocks: then the place of the first dataset's bytes does not
/// depend on their number, and the pixels can be written before it is known.
Hdf5Handle create_file(const std::filesystem::path& path) {
  const Hdf5Handle access(make_hdf5_access(), H5Pclose);
  H5Pset_meta_block_size(access, 0);
  H5Pset_small_data_block_size(access, 0);
  errno = 0;
  Hdf5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  if (!file.is_valid()) fail(path, errno);
  return file;
}

/// A contiguous dataset, allocated and not filled.
Hdf5Handle create_dataset(hid_t file, const char* name, hid_t type, const std::vector<hsize_t>& dims) {
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
  const Hdf5Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_layout(properties, H5D_CONTIGUOUS);
  H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(properties, false);  // equal sets are equal files
  return {H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose};
}

bool write_dataset(hid_t file, const char* name, hid_t type, const std::vector<hsize_t>& dims, const void* values) {
  const Hdf5Handle dataset = create_dataset(file, name, type, dims);
  if (!dataset.is_valid()) return false;
  if (std::find(dims.begin(), dims.end(), hsize_t{0}) != dims.end()) return true;
  return H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
}

/// Where the bytes of the first dataset begin in every file that create_file makes.
std::int64_t find_payload_position(const std::filesystem::path& path) {
  const Hdf5Handle file = create_file(path);
  const Hdf5Handle dataset = create_dataset(file, "bytes", H5T_NATIVE_UINT8, {1});
  if (!dataset.is_valid()) fail(path, errno);
  return static_cast<std::int64_t>(H5Dget_offset(dataset));
}

}  // namespace

ShardWriter::ShardWriter(std::filesystem::path path) : path_(std::move(path)) {
  const Hdf5Silence silence;
  payload_position_ = find_payload_position(path_);
  file_ = FileDescriptor(path_, O_RDWR | O_TRUNC);
  if (!file_) fail(path_, errno);
}

ShardWriter::~ShardWriter() {
  std::error_code ignored;
  if (file_ && !finished_) std::filesystem::remove(path_, ignored);
}

void ShardWriter::write_at(std::int64_t position, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(file_.get(), bytes.data(), bytes.size(), position);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(path_, count < 0 ? errno : ENOSPC);
    position += count;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void ShardWriter::flush() {
  write_at(payload_position_ + num_written_, pending_);
  num_written_ += static_cast<std::int64_t>(pending_.size());
  pending_.clear();
}

void ShardWriter::end_samples() {
  flush();
  pending_.shrink_to_fit();  // shards of a set wait for each other: it adds up
}

void ShardWriter::append(const SampleInfo& info, const std::string& source_name, std::span<const std::uint8_t> bytes) {
  if (pending_.size() + bytes.size() > kWriteBytes) flush();
  if (bytes.size() > kWriteBytes) {
    write_at(payload_position_ + num_written_, bytes);
    num_written_ += static_cast<std::int64_t>(bytes.size());
  } else {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  }
  offsets_.push_back(offsets_.back() + static_cast<std::int64_t>(bytes.size()));
  labels_.push_back(info.label);
  sizes_.insert(sizes_.end(), {info.height, info.width, info.channels});
  encodings_.push_back(static_cast<std::uint8_t>(info.encoding));
  checksums_.push_back(crc32_of(bytes.data(), bytes.size()));
  names_ += source_name;
  name_offsets_.push_back(static_cast<std::int64_t>(names_.size()));
  digests_.push_back(sample_digest(info, bytes));
}

void ShardWriter::write_metadata(const std::filesystem::path& path, const SetDescription& set) const {
  const Hdf5Silence silence;
  const Hdf5Handle file = create_file(path);
  const hsize_t n = digests_.size();
  {
    const Hdf5Handle payload =
        create_dataset(file, "bytes", H5T_NATIVE_UINT8, {std::max<hsize_t>(1, static_cast<hsize_t>(num_written_))});
    if (!payload.is_valid()) fail(path, errno);
    if (static_cast<std::int64_t>(H5Dget_offset(payload)) != payload_position_)
      throw Error("this HDF5 library places datasets by their size; shards cannot be written with it");
  }
  std::string class_names;
  std::vector<std::int64_t> class_name_offsets{0};
  for (const std::string& name : set.class_names) {
    class_names += name;
    class_name_offsets.push_back(static_cast<std::int64_t>(class_names.size()));
  }
  errno = 0;
  const bool written =
      write_dataset(file, "offsets", H5T_NATIVE_INT64, {n + 1}, offsets_.data()) &&
      write_dataset(file, "labels", H5T_NATIVE_INT32, {n}, labels_.data()) &&
      write_dataset(file, "sizes", H5T_NATIVE_INT32, {n, 3}, sizes_.data()) &&
      write_dataset(file, "encodings", H5T_NATIVE_UINT8, {n}, encodings_.data()) &&
      write_dataset(file, "checksums", H5T_NATIVE_UINT32, {n}, checksums_.data()) &&
      write_dataset(file, "source_names", H5T_NATIVE_UINT8, {names_.size()}, names_.data()) &&
      write_dataset(file, "source_name_offsets", H5T_NATIVE_INT64, {n + 1}, name_offsets_.data()) &&
      write_dataset(file, "class_names", H5T_NATIVE_UINT8, {class_names.size()}, class_names.data()) &&
      write_dataset(file, "class_name_offsets", H5T_NATIVE_INT64, {class_name_offsets.size()},
                    class_name_offsets.data()) &&
      write_attribute(file, "format", std::string(shard::kFormat)) &&
      write_attribute(file, "format_version", shard::kFormatVersion) &&
      write_attribute(file, "fingerprint", set.fingerprint) && write_attribute(file, "set_size", set.set_size) &&
      write_attribute(file, "shard_index", set.shard_index) && write_attribute(file, "shard_count", set.shard_count) &&
      write_attribute(file, "complete", std::int64_t{1}) && H5Fflush(file, H5F_SCOPE_LOCAL) >= 0;
  if (!written) fail(path, errno);
}

void ShardWriter::merge_metadata(const std::filesystem::path& path) {
  const FileDescriptor metadata(path, O_RDONLY);
  struct stat status {};
  if (!metadata || fstat(metadata.get(), &status) != 0) fail(path, errno);
  std::vector<std::uint8_t> buffer(kWriteBytes);
  const auto copy = [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(end - begin, kWriteBytes));
      const std::int64_t count = read_at(metadata, begin, buffer.data(), wanted);
      if (count <= 0) fail(path, count < 0 ? errno : EIO);
      write_at(begin, std::span(buffer).first(static_cast<std::size_t>(count)));
      begin += count;
    }
  };
  copy(payload_position_ + num_written_, status.st_size);
  if (fsync(file_.get()) != 0) fail(path_, errno);
  copy(0, payload_position_);  // the head comes last: before it this is no HDF5 file
  if (fsync(file_.get()) != 0) fail(path_, errno);
}

void ShardWriter::finish(const SetDescription& set) {
  end_samples();
  const std::filesystem::path metadata = path_.string() + ".metadata";
  std::error_code ignored;
  try {
    write_metadata(metadata, set);
    merge_metadata(metadata);
  } catch (...) {
    std::filesystem::remove(metadata, ignored);
    throw;
  }
  std::filesystem::remove(metadata, ignored);
  finished_ = true;
}

}  // namespace barlow::data
