// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "barlow/data/dataset.hpp"
#include "barlow/data/image.hpp"

namespace barlow::data {

/// Decodes a PNG file to RGB as PIL's convert("RGB") does. @throws DataError.
void decode_png(std::span<const std::uint8_t> bytes, Image& out);

/// @throws DataError.
SampleInfo identify_png(std::span<const std::uint8_t> bytes);

}  // namespace barlow::data
