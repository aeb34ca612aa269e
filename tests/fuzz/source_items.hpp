// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

#include "source.hpp"
#include "support.hpp"

namespace barlow::fuzz {

/// Reads what a source lists, and holds it to what it says of it.
inline void read_items(const data_tools::Source& source) {
  constexpr std::size_t kRead = 64;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < source.items.size(); ++i) {
    const data_tools::Item& item = source.items[i];
    require(item.label >= -1 && item.label < static_cast<std::int32_t>(source.class_names.size()),
            "a label has a class");
    require(item.file >= 0 && static_cast<std::size_t>(item.file) < source.files.size(), "an item has a file");
    if (i >= kRead) continue;
    source.read(static_cast<std::int64_t>(i), bytes);
    require(item.size < 0 || bytes.size() == static_cast<std::size_t>(item.size), "an item has its size");
    require(!source.is_raw() || bytes.size() == static_cast<std::size_t>(source.raw_width) *
                                                    static_cast<std::size_t>(source.raw_height) *
                                                    static_cast<std::size_t>(source.raw_channels),
            "raw pixels fill their image");
  }
}

}  // namespace barlow::fuzz
