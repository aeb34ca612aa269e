// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "barlow/data/image.hpp"

namespace barlow::data {

/// A baseline JPEG file of the image, colours at half resolution (4:2:0).
/// @param quality  1..100, libjpeg's scale
/// @throws DataError if a side is longer than a JPEG file can have (65500).
std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality);

}  // namespace barlow::data
