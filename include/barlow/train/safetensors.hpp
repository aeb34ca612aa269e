// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "barlow/tensor/dtype.hpp"
#include "barlow/tensor/shape.hpp"

namespace barlow::train {

/// A tensor with its values on the host, little-endian and row-major.
struct NamedTensor {
  std::string name;
  DType dtype;
  Shape shape;
  std::vector<std::byte> data;
};

/// Writes a safetensors file: eight bytes of header size, a JSON header, the tensors' bytes one after the other. Under
/// a temporary name, flushed to the disk, then renamed. @throws StorageError.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors);

/// Reads F32, F16, BF16, F64, I64 and U8 tensors. Nothing in the file is trusted: sizes and offsets are checked before
/// memory is allocated. @throws DataError naming the file and what is wrong with it.
std::vector<NamedTensor> read_safetensors(const std::filesystem::path& path);

}  // namespace barlow::train
