// SPDX-License-Identifier: Apache-2.0
#include "hdf5_handle.hpp"

#include <algorithm>

namespace barlow::data {
namespace {

constexpr std::size_t kMaxAttributeBytes = 4096;

Hdf5Handle open_attribute(hid_t file, const char* name) {
  if (H5Aexists(file, name) <= 0) return {-1, H5Aclose};
  return {H5Aopen(file, name, H5P_DEFAULT), H5Aclose};
}

bool is_scalar(hid_t attribute) {
  const Hdf5Handle space(H5Aget_space(attribute), H5Sclose);
  return space.is_valid() && H5Sget_simple_extent_npoints(space) == 1;
}

bool write(hid_t file, const char* name, hid_t type, const void* value) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle attribute(H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return attribute.is_valid() && H5Awrite(attribute, type, value) >= 0;
}

}  // namespace

bool read_attribute(hid_t file, const char* name, std::int64_t& value) {
  const Hdf5Handle attribute = open_attribute(file, name);
  if (!attribute.is_valid() || !is_scalar(attribute)) return false;
  const Hdf5Handle type(H5Aget_type(attribute), H5Tclose);
  return H5Tget_class(type) == H5T_INTEGER && H5Aread(attribute, H5T_NATIVE_INT64, &value) >= 0;
}

bool read_attribute(hid_t file, const char* name, std::string& value) {
  const Hdf5Handle attribute = open_attribute(file, name);
  if (!attribute.is_valid() || !is_scalar(attribute)) return false;
  const Hdf5Handle type(H5Aget_type(attribute), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0) return false;
  const std::size_t size = H5Tget_size(type);
  if (size == 0 || size > kMaxAttributeBytes) return false;
  std::string text(size, '\0');
  if (H5Aread(attribute, type, text.data()) < 0) return false;
  value = text.substr(0, text.find('\0'));
  return true;
}

bool write_attribute(hid_t file, const char* name, std::int64_t value) {
  return write(file, name, H5T_NATIVE_INT64, &value);
}

bool write_attribute(hid_t file, const char* name, const std::string& value) {
  const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, std::max<std::size_t>(value.size(), 1));
  H5Tset_cset(type, H5T_CSET_UTF8);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return write(file, name, type, value.data());
}

}  // namespace barlow::data
