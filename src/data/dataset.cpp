// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/dataset.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

#include "barlow/base/checksum.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"
#include "barlow/base/files.hpp"
#include "barlow/data/hdf5_access.hpp"
#include "barlow/data/hdf5_structure.hpp"
#include "hdf5_handle.hpp"

namespace barlow::data {
namespace {

constexpr std::int32_t kMaxSide = 1 << 20;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  throw DataError("\"" + path.string() + "\": " + what);
}

/// Where a dataset's values lie in the file.
struct Extent {
  std::int64_t position = 0;
  std::int64_t size_bytes = 0;
};

/// One open file of the set.
struct Shard {
  std::filesystem::path path;
  FileDescriptor descriptor;
  std::int64_t first = 0, size = 0, set_size = 0, shard_index = 0, shard_count = 0;
  std::string fingerprint;
  std::vector<std::string> class_names;
  Extent bytes, names;
  std::vector<std::int64_t> offsets, name_offsets;
  std::vector<std::uint32_t> checksums;
};

/// Fills `bytes` from the file; false on a short read (errno is 0) or an error.
bool read_exactly(const FileDescriptor& descriptor, std::int64_t position, std::span<std::uint8_t> bytes) {
  return read_at(descriptor, position, bytes.data(), bytes.size()) == static_cast<std::int64_t>(bytes.size());
}

bool has_format(hid_t file) {
  std::string format;
  return read_attribute(file, "format", format) && format == shard::kFormat;
}

/// Reads the structure of one file into a Shard.
class ShardReader {
 public:
  ShardReader(Shard& shard, hid_t file, std::int64_t file_bytes)
      : shard_(shard), file_(file), file_bytes_(file_bytes) {}

  void read(std::vector<SampleInfo>& infos) {
    read_attributes();
    shard_.offsets = read_offsets("offsets");
    shard_.size = static_cast<std::int64_t>(shard_.offsets.size()) - 1;
    shard_.bytes = locate("bytes", 1, H5T_INTEGER, std::nullopt);
    shard_.name_offsets = read_offsets("source_name_offsets");
    shard_.names = locate("source_names", 1, H5T_INTEGER, std::nullopt);
    require(shard_.name_offsets.size() == shard_.offsets.size(), "source_name_offsets and offsets differ in length");
    require(shard_.offsets.back() <= shard_.bytes.size_bytes, "offsets point beyond the bytes");
    require(shard_.name_offsets.back() <= shard_.names.size_bytes, "source_name_offsets point beyond the names");
    shard_.checksums = read_values<std::uint32_t>("checksums", H5T_NATIVE_UINT32, shard_.size);
    read_class_names();
    read_infos(infos);
  }

 private:
  void require(bool condition, const std::string& what) const {
    if (!condition) refuse(shard_.path, "damaged: " + what + "; pack the set again");
  }

  void read_attributes() {
    if (!has_format(file_)) refuse(shard_.path, "an HDF5 file, but not one that `barlow-data pack` wrote");
    std::int64_t version = 0, complete = 0;
    require(read_attribute(file_, "format_version", version), "format_version is missing");
    if (version != shard::kFormatVersion) {
      refuse(shard_.path, "format_version " + std::to_string(version) + ", this program reads " +
                              std::to_string(shard::kFormatVersion) + "; pack the set again");
    }
    if (!read_attribute(file_, "complete", complete) || complete != 1)
      refuse(shard_.path, "incomplete: packing was interrupted; pack the set again");
    require(read_attribute(file_, "fingerprint", shard_.fingerprint) && shard_.fingerprint.size() == 64 &&
                read_attribute(file_, "set_size", shard_.set_size) &&
                read_attribute(file_, "shard_index", shard_.shard_index) &&
                read_attribute(file_, "shard_count", shard_.shard_count),
            "an attribute is missing");
  }

  /// Refuses everything but plain values inside this file, no longer than the file: what follows may trust the sizes.
  Extent locate(const char* name, std::size_t value_bytes, H5T_class_t kind, std::optional<std::int64_t> count,
                int rank = 1) const {
    require(H5Lexists(file_, name, H5P_DEFAULT) > 0, std::string(name) + " is missing");
    const Hdf5Handle dataset(H5Dopen2(file_, name, H5P_DEFAULT), H5Dclose);
    require(dataset.is_valid(), std::string(name) + " is not a dataset");
    const Hdf5Handle type(H5Dget_type(dataset), H5Tclose);
    const Hdf5Handle space(H5Dget_space(dataset), H5Sclose);
    const Hdf5Handle properties(H5Dget_create_plist(dataset), H5Pclose);
    require(H5Tget_class(type) == kind && H5Tget_size(type) == value_bytes, std::string(name) + " has another type");
    require(H5Pget_layout(properties) == H5D_CONTIGUOUS && H5Pget_external_count(properties) == 0,
            std::string(name) + " is not contiguous");
    require(H5Sget_simple_extent_ndims(space) == rank, std::string(name) + " has another shape");
    const hssize_t points = H5Sget_simple_extent_npoints(space);
    require(
        points >= 0 && points <= file_bytes_ / static_cast<std::int64_t>(value_bytes) && (!count || points == *count),
        std::string(name) + " has " + std::to_string(points) + " values");
    Extent extent{0, points * static_cast<std::int64_t>(value_bytes)};
    if (points == 0) return extent;
    const haddr_t position = H5Dget_offset(dataset);
    require(position != HADDR_UNDEF && position <= static_cast<haddr_t>(file_bytes_ - extent.size_bytes),
            std::string(name) + " ends beyond the file");
    extent.position = static_cast<std::int64_t>(position);
    return extent;
  }

  template <class T>
  std::vector<T> read_values(const char* name, hid_t type, std::optional<std::int64_t> count, int rank = 1) const {
    const Extent extent = locate(name, sizeof(T), H5T_INTEGER, count, rank);
    std::vector<T> values(static_cast<std::size_t>(extent.size_bytes) / sizeof(T));
    if (values.empty()) return values;
    const Hdf5Handle dataset(H5Dopen2(file_, name, H5P_DEFAULT), H5Dclose);
    require(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0,
            std::string(name) + " cannot be read");
    return values;
  }

  std::vector<std::int64_t> read_offsets(const char* name) const {
    auto offsets = read_values<std::int64_t>(name, H5T_NATIVE_INT64, std::nullopt);
    require(!offsets.empty() && offsets.front() == 0 && std::is_sorted(offsets.begin(), offsets.end()),
            std::string(name) + " do not ascend from 0");
    return offsets;
  }

  void read_class_names() {
    const auto offsets = read_offsets("class_name_offsets");
    const auto text = read_values<std::uint8_t>("class_names", H5T_NATIVE_UINT8, offsets.back());
    for (std::size_t c = 0; c + 1 < offsets.size(); ++c)
      shard_.class_names.emplace_back(text.begin() + offsets[c], text.begin() + offsets[c + 1]);
  }

  void read_infos(std::vector<SampleInfo>& infos) const {
    const auto labels = read_values<std::int32_t>("labels", H5T_NATIVE_INT32, shard_.size);
    const auto sizes = read_values<std::int32_t>("sizes", H5T_NATIVE_INT32, 3 * shard_.size, 2);
    const auto encodings = read_values<std::uint8_t>("encodings", H5T_NATIVE_UINT8, shard_.size);
    const auto num_classes = static_cast<std::int32_t>(shard_.class_names.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::int32_t height = sizes[3 * i], width = sizes[3 * i + 1], channels = sizes[3 * i + 2];
      const std::int64_t size_bytes = shard_.offsets[i + 1] - shard_.offsets[i];
      const bool sane = encodings[i] <= 2 && height > 0 && width > 0 && height <= kMaxSide && width <= kMaxSide &&
                        channels >= 1 && channels <= 4 && labels[i] >= -1 && labels[i] < num_classes;
      require(sane, "sample " + std::to_string(i) + " is described by impossible values");
      const auto encoding = static_cast<Encoding>(encodings[i]);
      require(encoding != Encoding::kRaw ||
                  (channels != 2 && channels != 4 && size_bytes == std::int64_t{height} * width * channels),
              "sample " + std::to_string(i) + " is raw and has another number of bytes than pixels");
      infos.push_back({encoding, width, height, channels, labels[i], size_bytes});
    }
  }

  Shard& shard_;
  hid_t file_;
  std::int64_t file_bytes_;
};

Hdf5Handle open_file(const std::filesystem::path& path) {
  const Hdf5Handle access(make_hdf5_access(), H5Pclose);
  return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose};
}

std::unique_ptr<Shard> open_shard(const std::filesystem::path& path, std::vector<SampleInfo>& infos) {
  const Hdf5Silence silence;
  auto shard = std::make_unique<Shard>();
  shard->path = path;
  shard->descriptor = FileDescriptor(path, O_RDONLY | O_NONBLOCK);  // of a pipe the next check tells
  struct stat status {};
  if (!shard->descriptor || fstat(shard->descriptor.get(), &status) != 0) refuse(path, std::strerror(errno));
  try {
    require_plain_hdf5(path);  // before HDF5, which would believe it
  } catch (const DataError& error) {
    throw DataError(std::string(error.what()) +
                    "; wanted is what `barlow-data pack` wrote (an interrupted packing must be started again)");
  }
  const Hdf5Handle file = open_file(path);
  if (!file.is_valid()) refuse(path, "HDF5 cannot open it; pack the set again");
  shard->first = static_cast<std::int64_t>(infos.size());
  ShardReader(*shard, file, status.st_size).read(infos);
  return shard;
}

std::vector<std::filesystem::path> list_shards(const std::filesystem::path& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found)
    refuse(path, "no such file or folder; make it with `barlow-data pack`");
  if (code) refuse(path, code.message());
  if (!std::filesystem::is_directory(status)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
    if (entry.path().extension() == ".h5") files.push_back(entry.path());
  }
  if (code) refuse(path, code.message());
  if (files.empty()) refuse(path, "a folder without shards (*.h5); pack it first: `barlow-data pack`");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

bool is_shard(const std::filesystem::path& file) {
  const Hdf5Silence silence;
  try {
    require_plain_hdf5(file);
  } catch (const DataError&) {
    return false;
  }
  const Hdf5Handle opened = open_file(file);
  return opened.is_valid() && has_format(opened);
}

void require_result_file(const std::string& flag, const std::filesystem::path& file) {
  require_writable(flag, file);
  if (is_shard(file)) throw ConfigError(flag + " \"" + file.string() + "\" is a data set; give another name");
}

struct Dataset::Impl {
  std::filesystem::path path;
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<SampleInfo> infos;

  const Shard& shard_of(std::int64_t index) const {
    if (index < 0 || index >= static_cast<std::int64_t>(infos.size())) {
      throw DataError("\"" + path.string() + "\": there is no sample " + std::to_string(index) + ", the set has " +
                      std::to_string(infos.size()));
    }
    const auto after = std::upper_bound(shards.begin(), shards.end(), index,
                                        [](std::int64_t i, const auto& shard) { return i < shard->first; });
    return **std::prev(after);
  }

  void check_belonging() const {
    const Shard& head = *shards.front();
    std::string misplaced;  // the first that is
    for (std::size_t s = 0; s < shards.size(); ++s) {
      const Shard& shard = *shards[s];
      if (shard.fingerprint != head.fingerprint || shard.shard_count != head.shard_count ||
          shard.class_names != head.class_names || shard.set_size != head.set_size) {
        refuse(shard.path, "belongs to another set than \"" + head.path.filename().string() +
                               "\"; a folder holds the shards of one set");
      }
      if (misplaced.empty() && shard.shard_index != static_cast<std::int64_t>(s))
        misplaced = fmt::format("; \"{}\" is number {} in the place of {}", shard.path.filename().string(),
                                shard.shard_index, s);
    }
    if (!misplaced.empty() || head.shard_count != static_cast<std::int64_t>(shards.size()))
      refuse(path, fmt::format("shards are missing, renamed or there twice: {} files for {}{}", shards.size(),
                               head.shard_count, misplaced));
    if (head.set_size != static_cast<std::int64_t>(infos.size()))
      refuse(path, "damaged: the shards hold " + std::to_string(infos.size()) + " samples, the set has " +
                       std::to_string(head.set_size));
  }
};

Dataset::Dataset(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Dataset::Dataset(Dataset&&) noexcept = default;
Dataset& Dataset::operator=(Dataset&&) noexcept = default;
Dataset::~Dataset() = default;

Dataset Dataset::open(const std::filesystem::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  for (const auto& file : list_shards(path)) impl->shards.push_back(open_shard(file, impl->infos));
  impl->check_belonging();
  return Dataset(std::move(impl));
}

std::int64_t Dataset::size() const { return static_cast<std::int64_t>(impl_->infos.size()); }

const SampleInfo& Dataset::info(std::int64_t index) const {
  impl_->shard_of(index);
  return impl_->infos[static_cast<std::size_t>(index)];
}

const std::vector<std::string>& Dataset::class_names() const { return impl_->shards.front()->class_names; }

const std::string& Dataset::fingerprint() const { return impl_->shards.front()->fingerprint; }

std::int64_t Dataset::num_shards() const { return static_cast<std::int64_t>(impl_->shards.size()); }

std::string Dataset::source_name(std::int64_t index) const {
  const Shard& shard = impl_->shard_of(index);
  const auto i = static_cast<std::size_t>(index - shard.first);
  const std::int64_t begin = shard.name_offsets[i];
  std::vector<std::uint8_t> name(static_cast<std::size_t>(shard.name_offsets[i + 1] - begin));
  if (!read_exactly(shard.descriptor, shard.names.position + begin, name)) return "?";
  return {name.begin(), name.end()};
}

std::string Dataset::describe(std::int64_t index) const {
  const Shard& shard = impl_->shard_of(index);
  return fmt::format("\"{}\", sample {} ({})", shard.path.filename().string(), index - shard.first, source_name(index));
}

void Dataset::read(std::int64_t index, std::vector<std::uint8_t>& bytes) const {
  const Shard& shard = impl_->shard_of(index);
  const auto i = static_cast<std::size_t>(index - shard.first);
  bytes.resize(static_cast<std::size_t>(shard.offsets[i + 1] - shard.offsets[i]));
  if (!read_exactly(shard.descriptor, shard.bytes.position + shard.offsets[i], bytes)) {
    throw DataError(describe(index) +
                    ": cannot be read: " + (errno != 0 ? std::strerror(errno) : "the file ends early"));
  }
  if (crc32_of(bytes.data(), bytes.size()) != shard.checksums[i])
    throw DataError(describe(index) + ": the bytes have changed since packing (checksum); pack the set again");
}

}  // namespace barlow::data
