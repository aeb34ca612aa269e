// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "barlow/base/error.hpp"
#include "storage.hpp"

namespace barlow::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxHeader = 100 << 20;  // the format's own limit

struct TypeName {
  DType dtype;
  const char* name;
};
constexpr std::array kTypes = {TypeName{DType::kF32, "F32"},   TypeName{DType::kF16, "F16"},
                               TypeName{DType::kBF16, "BF16"}, TypeName{DType::kF64, "F64"},
                               TypeName{DType::kI64, "I64"},   TypeName{DType::kU8, "U8"}};

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  throw DataError("\"" + path.string() + "\" is not a safetensors file that can be read: " + what);
}

std::string header_of(std::span<const NamedTensor> tensors) {
  Json header;
  header["__metadata__"] = {{"format", "pt"}};
  std::uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    Json shape = Json::array();
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) shape.push_back(tensor.shape[axis]);
    const char* name = nullptr;
    for (const TypeName& type : kTypes) {
      if (type.dtype == tensor.dtype) name = type.name;
    }
    header[tensor.name] = {{"dtype", name}, {"shape", shape}, {"data_offsets", {offset, offset + tensor.data.size()}}};
    offset += tensor.data.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors start aligned
  return text;
}

/// JSON's 2.5, 1e300, -1 and true would all pass for a number of elements.
std::uint64_t whole_number(const nlohmann::json& value, const std::filesystem::path& path, const std::string& name) {
  if (!value.is_number_unsigned()) refuse(path, "tensor " + name + " has an extent or offset that is no whole number");
  return value.get<std::uint64_t>();
}

DType dtype_of(const std::filesystem::path& path, const std::string& name, const std::string& type_name) {
  for (const TypeName& type : kTypes) {
    if (type_name == type.name) return type.dtype;
  }
  refuse(path, "tensor " + name + " has the unknown type " + type_name);
}

/// A tensor of the header, not read yet.
struct Entry {
  NamedTensor tensor;
  std::uint64_t first = 0, last = 0;
};

/// One entry of the header, its extents and offsets checked against the bytes that are there.
Entry parse_entry(const std::filesystem::path& path, const std::string& name, const nlohmann::json& entry,
                  std::uint64_t data_bytes) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets") ||
      !entry["shape"].is_array() || !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
    refuse(path, "tensor " + name + " lacks dtype, shape or data_offsets");
  }
  const DType dtype = dtype_of(path, name, entry["dtype"].get<std::string>());
  Shape shape;
  std::uint64_t size = size_of(dtype);
  for (const nlohmann::json& extent : entry["shape"]) {
    const std::uint64_t value = whole_number(extent, path, name);
    if (shape.rank() == Shape::kMaxRank) refuse(path, "tensor " + name + " has more than 5 extents");
    if (value > INT64_MAX) refuse(path, "tensor " + name + " has a negative extent");
    if (value != 0 && size > data_bytes / value) refuse(path, "tensor " + name + " is larger than the file");
    size *= value;
    shape.append(static_cast<std::int64_t>(value));
  }
  const std::uint64_t first = whole_number(entry["data_offsets"][0], path, name);
  const std::uint64_t last = whole_number(entry["data_offsets"][1], path, name);
  if (first > last || last > data_bytes || last - first != size)
    refuse(path, "tensor " + name + " has offsets that do not fit its shape and the file");
  return {{name, dtype, shape, {}}, first, last};
}

/// The tensors of the header in the order of their bytes, which no two of them share.
std::vector<Entry> parse_header(const std::filesystem::path& path, const std::string& text, std::uint64_t data_bytes) {
  // Not Json, which would look through all names for each: a header may have millions.
  const auto header = nlohmann::json::parse(text, nullptr, false);
  if (!header.is_object()) refuse(path, "its header is not JSON");
  std::vector<Entry> entries;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    try {
      entries.push_back(parse_entry(path, name, entry, data_bytes));
    } catch (const nlohmann::json::exception&) {
      refuse(path, "the entry of tensor " + name + " is malformed");
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.first, a.last) < std::pair(b.first, b.last); });
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].first < entries[i - 1].last) refuse(path, "tensor " + entries[i].tensor.name + " overlaps another");
  }
  return entries;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors) {
  const std::string header = header_of(tensors);
  const auto header_size = static_cast<std::uint64_t>(header.size());
  replace_file(path, [&](const std::filesystem::path& temporary) {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(&header_size), sizeof header_size);
    file << header;
    for (const NamedTensor& tensor : tensors) {
      file.write(reinterpret_cast<const char*>(tensor.data.data()), static_cast<std::streamsize>(tensor.data.size()));
    }
    if (!file.flush()) throw StorageError("cannot write \"" + path.string() + "\": " + std::strerror(errno));
    flush_file(temporary);
  });
}

std::vector<NamedTensor> read_safetensors(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError("\"" + path.string() + "\" cannot be opened: " + std::strerror(errno));
  std::error_code error;
  const std::uint64_t file_size = std::filesystem::file_size(path, error);
  std::uint64_t header_size = 0;
  if (error || !file.read(reinterpret_cast<char*>(&header_size), sizeof header_size))
    refuse(path, "it is shorter than 8 bytes");
  if (header_size > kMaxHeader || header_size > file_size - sizeof header_size)
    refuse(path, "its header is larger than the file");
  std::string text(header_size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(header_size))) refuse(path, "its header cannot be read");
  const std::uint64_t data_start = sizeof header_size + header_size;
  std::vector<NamedTensor> tensors;
  for (Entry& entry : parse_header(path, text, file_size - data_start)) {
    std::vector<std::byte>& data = entry.tensor.data;
    data.resize(entry.last - entry.first);
    file.seekg(static_cast<std::streamoff>(data_start + entry.first));
    if (!data.empty() && !file.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(data.size())))
      refuse(path, "tensor " + entry.tensor.name + " cannot be read");
    tensors.push_back(std::move(entry.tensor));
  }
  return tensors;
}

}  // namespace barlow::train
