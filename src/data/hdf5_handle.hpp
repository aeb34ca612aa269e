// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>
#include <utility>

namespace barlow::data {

/// An HDF5 identifier that closes itself.
class Hdf5Handle {
 public:
  Hdf5Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&&) = delete;
  ~Hdf5Handle() {
    if (is_valid()) close_(id_);
  }
  operator hid_t() const { return id_; }  // NOLINT: it stands for the identifier
  bool is_valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Keeps HDF5 from printing its own error stack while it lives: our messages name file, fact and remedy instead.
class Hdf5Silence {
 public:
  Hdf5Silence() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Hdf5Silence() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  Hdf5Silence(const Hdf5Silence&) = delete;
  Hdf5Silence& operator=(const Hdf5Silence&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// What the attributes `format` and `format_version` of a shard say (data_tools/FORMAT.md).
namespace shard {
inline constexpr char kFormat[] = "barlow images";
inline constexpr std::int64_t kFormatVersion = 1;
}  // namespace shard

/// Scalar attributes of the file's root. The readers return false if it is missing or of another type; the writers if
/// HDF5 refuses.
bool read_attribute(hid_t file, const char* name, std::int64_t& value);
bool read_attribute(hid_t file, const char* name, std::string& value);
bool write_attribute(hid_t file, const char* name, std::int64_t value);
bool write_attribute(hid_t file, const char* name, const std::string& value);

}  // namespace barlow::data
