// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/hdf5_file.hpp"

#include <hdf5.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "barlow/base/checksum.hpp"
#include "barlow/base/error.hpp"
#include "barlow/data/hdf5_access.hpp"
#include "barlow/data/hdf5_structure.hpp"
#include "storage.hpp"

namespace barlow::train {
namespace {

constexpr const char* kChecksum = "crc32";

/// HDF5 is one library per process, and most builds of it are not thread-safe: a trace and the writer of checkpoints
/// take turns, call by call.
std::unique_lock<std::recursive_mutex> one_thread_at_a_time() {
  static std::recursive_mutex mutex;
  return std::unique_lock(mutex);
}

/// An HDF5 identifier that closes itself.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }  // NOLINT: it stands for the identifier
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

hid_t native_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return H5T_NATIVE_FLOAT;
    case DType::kF64:
      return H5T_NATIVE_DOUBLE;
    case DType::kI64:
      return H5T_NATIVE_INT64;
    case DType::kU8:
      return H5T_NATIVE_UINT8;
    default:
      throw ShapeError(std::string("no HDF5 type for ") + name_of(dtype));
  }
}

std::int64_t checksum_of(ConstTensorView values) { return crc32_of(values.data, values.size_bytes()); }

[[noreturn]] void fail_write(const std::filesystem::path& path, const std::string& what) {
  const int code = errno;
  throw StorageError("cannot write \"" + path.string() + "\" (" + what + ")" +
                     (code != 0 ? std::string(": ") + std::strerror(code) : ""));
}

[[noreturn]] void fail_read(const std::filesystem::path& path, const std::string& what) {
  throw DataError("\"" + path.string() + "\": " + what);
}

/// True if the attribute is one value of that class: H5Aread writes as many as the file says, wherever it is told to.
bool is_scalar(hid_t attribute, H5T_class_t kind) {
  const Handle space(H5Aget_space(attribute), H5Sclose);
  const Handle type(H5Aget_type(attribute), H5Tclose);
  return H5Sget_simple_extent_npoints(space) == 1 && H5Tget_class(type) == kind;
}

Handle open_attribute(hid_t file, const std::filesystem::path& path, const std::string& group, const std::string& name,
                      H5T_class_t kind) {
  Handle attribute(H5Aopen_by_name(file, group.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) fail_read(path, "attribute " + name + " of " + group + " is missing");
  if (!is_scalar(attribute, kind)) fail_read(path, "attribute " + name + " of " + group + " is of another kind");
  return attribute;
}

/// Opens the group, made with its parents if it is missing.
Handle require_group(hid_t file, const std::string& name) {
  if (name == "/" || H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0)
    return {H5Gopen2(file, name.c_str(), H5P_DEFAULT), H5Gclose};
  const Handle parents(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(parents, 1);
  return {H5Gcreate2(file, name.c_str(), parents, H5P_DEFAULT, H5P_DEFAULT), H5Gclose};
}

void write_scalar(hid_t file, const std::filesystem::path& path, const std::string& group, const std::string& name,
                  hid_t type, const void* value) {
  const auto lock = one_thread_at_a_time();
  errno = 0;
  const Handle target = require_group(file, group);
  const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(target, name.c_str(), type, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute, type, value) < 0) fail_write(path, name);
}

}  // namespace

Hdf5File Hdf5File::create(const std::filesystem::path& path, std::uint64_t free_bytes) {
  const auto lock = one_thread_at_a_time();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  errno = 0;
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_userblock(creation, free_bytes);
  const Handle access(data::make_hdf5_access(), H5Pclose);
  const hid_t id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
  if (id < 0) fail_write(path, "create");
  return {path, id};
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  const auto lock = one_thread_at_a_time();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  if (!std::filesystem::exists(path)) fail_read(path, "no such file");
  data::require_plain_hdf5(path);  // before HDF5, which would believe it
  const Handle access(data::make_hdf5_access(), H5Pclose);
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  if (id < 0) fail_read(path, "not a complete HDF5 file");
  return {path, id};
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept : path_(std::move(other.path_)), id_(std::exchange(other.id_, -1)) {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(id_, other.id_);
  return *this;
}

Hdf5File::~Hdf5File() {
  const auto lock = one_thread_at_a_time();
  if (id_ >= 0) H5Fclose(id_);
}

void Hdf5File::write(const std::string& name, ConstTensorView values, bool checksum) {
  const auto lock = one_thread_at_a_time();
  std::array<hsize_t, Shape::kMaxRank> extents{};
  for (int axis = 0; axis < values.shape.rank(); ++axis)
    extents[static_cast<std::size_t>(axis)] = static_cast<hsize_t>(values.shape[axis]);
  errno = 0;
  const Handle space(H5Screate_simple(values.shape.rank(), extents.data(), nullptr), H5Sclose);
  const Handle parents(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(parents, 1);
  const hid_t type = native_type(values.dtype);
  const Handle dataset(H5Dcreate2(id_, name.c_str(), type, space, parents, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail_write(path_, name);
  if (values.num_elements() > 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data) < 0)
    fail_write(path_, name);
  if (!checksum) return;
  const std::int64_t sum = checksum_of(values);
  const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(dataset, kChecksum, H5T_NATIVE_INT64, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute, H5T_NATIVE_INT64, &sum) < 0) fail_write(path_, name);
}

void Hdf5File::write_attribute(const std::string& group, const std::string& name, double value) {
  write_scalar(id_, path_, group, name, H5T_NATIVE_DOUBLE, &value);
}

void Hdf5File::write_attribute(const std::string& group, const std::string& name, std::int64_t value) {
  write_scalar(id_, path_, group, name, H5T_NATIVE_INT64, &value);
}

void Hdf5File::write_attribute(const std::string& group, const std::string& name, const std::string& value) {
  const auto lock = one_thread_at_a_time();
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, value.size() + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  write_scalar(id_, path_, group, name, type, value.c_str());
}

void Hdf5File::close(bool to_disk) {
  const auto lock = one_thread_at_a_time();
  errno = 0;
  const bool flushed = H5Fflush(id_, H5F_SCOPE_GLOBAL) >= 0;
  const int flush_error = errno;
  const bool closed = H5Fclose(std::exchange(id_, -1)) >= 0;
  if (!flushed || !closed) {
    errno = flush_error;
    fail_write(path_, "flush");
  }
  if (to_disk) flush_file(path_);
}

bool Hdf5File::contains(const std::string& name) const {
  const auto lock = one_thread_at_a_time();
  // H5Lexists wants every group on the way to exist.
  for (std::size_t slash = name.find('/', 1);; slash = name.find('/', slash + 1)) {
    if (H5Lexists(id_, name.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
    if (slash == std::string::npos) return true;
  }
}

Shape Hdf5File::shape_of(const std::string& name) const {
  const auto lock = one_thread_at_a_time();
  const Handle dataset(contains(name) ? H5Dopen2(id_, name.c_str(), H5P_DEFAULT) : -1, H5Dclose);
  if (!dataset.valid()) fail_read(path_, name + " is missing");
  const Handle space(H5Dget_space(dataset), H5Sclose);
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  const int rank = H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  if (rank < 0 || rank > Shape::kMaxRank) fail_read(path_, name + " has an unexpected shape");
  Shape shape;
  for (int axis = 0; axis < rank; ++axis)
    shape.append(static_cast<std::int64_t>(extents[static_cast<std::size_t>(axis)]));
  return shape;  // the product has been held to the file's size: callers may allocate it
}

void Hdf5File::read(const std::string& name, TensorView values) const {
  const auto lock = one_thread_at_a_time();
  const Shape shape = shape_of(name);
  if (!(shape == values.shape))
    fail_read(path_, name + " is " + shape.to_string() + ", expected " + values.shape.to_string());
  const Handle dataset(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  const hid_t type = native_type(values.dtype);
  const Handle stored(H5Dget_type(dataset), H5Tclose);
  if (H5Tequal(stored, type) <= 0) fail_read(path_, name + " has another element type than " + name_of(values.dtype));
  if (values.num_elements() > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data) < 0) {
    fail_read(path_, name + " cannot be read; the file is damaged");
  }
  if (H5Aexists(dataset, kChecksum) <= 0) return;
  const Handle attribute(H5Aopen(dataset, kChecksum, H5P_DEFAULT), H5Aclose);
  std::int64_t expected = -1;
  if (!is_scalar(attribute, H5T_INTEGER) || H5Aread(attribute, H5T_NATIVE_INT64, &expected) < 0 ||
      expected != checksum_of(values)) {
    fail_read(path_, name + " does not match its checksum; the file is damaged");
  }
}

bool Hdf5File::contains_attribute(const std::string& group, const std::string& name) const {
  const auto lock = one_thread_at_a_time();
  return H5Aexists_by_name(id_, group.c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

double Hdf5File::read_double(const std::string& group, const std::string& name) const {
  const auto lock = one_thread_at_a_time();
  double value = 0;
  if (H5Aread(open_attribute(id_, path_, group, name, H5T_FLOAT), H5T_NATIVE_DOUBLE, &value) < 0)
    fail_read(path_, name + " cannot be read");
  return value;
}

std::int64_t Hdf5File::read_int(const std::string& group, const std::string& name) const {
  const auto lock = one_thread_at_a_time();
  std::int64_t value = 0;
  if (H5Aread(open_attribute(id_, path_, group, name, H5T_INTEGER), H5T_NATIVE_INT64, &value) < 0)
    fail_read(path_, name + " cannot be read");
  return value;
}

std::string Hdf5File::read_string(const std::string& group, const std::string& name) const {
  const auto lock = one_thread_at_a_time();
  const Handle attribute = open_attribute(id_, path_, group, name, H5T_STRING);
  const Handle type(H5Aget_type(attribute), H5Tclose);
  if (H5Tis_variable_str(type) != 0) fail_read(path_, name + " is not a fixed-length string");
  const std::size_t size = H5Tget_size(type);
  if (size > std::size_t{1} << 24) fail_read(path_, name + " is larger than 16 MiB");
  std::string value(size, '\0');
  if (H5Aread(attribute, type, value.data()) < 0) fail_read(path_, name + " cannot be read");
  value.resize(std::strlen(value.c_str()));
  return value;
}

}  // namespace barlow::train
