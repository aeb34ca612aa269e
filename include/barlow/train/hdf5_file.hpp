// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "barlow/tensor/view.hpp"

namespace barlow::train {

/// An HDF5 file of plain contiguous datasets and scalar attributes, for checkpoints, traces and snapshots. Names are
/// paths; groups are made as needed. Tensors lie in host memory. Files of several threads take turns at the library.
class Hdf5File {
 public:
  /// An empty file, replacing what is there. @throws StorageError with the system's reason.
  /// @param free_bytes  left alone at its start for another's use: 0, 512 or a larger power of two
  static Hdf5File create(const std::filesystem::path& path, std::uint64_t free_bytes = 0);
  /// For reading. @throws DataError if it is missing, or no HDF5 file.
  static Hdf5File open(const std::filesystem::path& path);
  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&& other) noexcept;
  /// Closes without an error; write() users call close().
  ~Hdf5File();

  /// kF32, kF64, kI64 or kU8. With `checksum`, a CRC-32 of the bytes is kept as an attribute. @throws StorageError.
  void write(const std::string& name, ConstTensorView values, bool checksum = false);
  /// An attribute of the group (made if missing; "/" is the file). @throws StorageError.
  void write_attribute(const std::string& group, const std::string& name, double value);
  void write_attribute(const std::string& group, const std::string& name, std::int64_t value);
  void write_attribute(const std::string& group, const std::string& name, const std::string& value);
  /// Closes; with `to_disk`, waits until the content is there (fsync). @throws StorageError.
  void close(bool to_disk = true);

  bool contains(const std::string& name) const;
  bool contains_attribute(const std::string& group, const std::string& name) const;
  /// Reads into `values`, whose type and shape must be the file's; verifies the checksum if there is one.
  /// @throws DataError naming file and dataset.
  void read(const std::string& name, TensorView values) const;
  /// @throws DataError if there is no such dataset.
  Shape shape_of(const std::string& name) const;
  double read_double(const std::string& group, const std::string& name) const;
  std::int64_t read_int(const std::string& group, const std::string& name) const;
  std::string read_string(const std::string& group, const std::string& name) const;

 private:
  Hdf5File(std::filesystem::path path, std::int64_t id) : path_(std::move(path)), id_(id) {}

  std::filesystem::path path_;
  std::int64_t id_ = -1;
};

}  // namespace barlow::train
