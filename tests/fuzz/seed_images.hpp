// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace barlow::fuzz {

using Seeds = std::map<std::string, std::vector<std::uint8_t>>;

/// Small images of every kind that the decoders know, by file name: JPEG in each colour space, baseline, progressive
/// and arithmetic, with restarts and other sampling; PNG of each colour type and depth, plain and interlaced.
Seeds seed_images();

}  // namespace barlow::fuzz
