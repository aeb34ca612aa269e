// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/checksum.hpp"

#include <libdeflate.h>

namespace barlow {

std::uint32_t crc32_of(const void* bytes, std::size_t size, std::uint32_t before) {
  if (size == 0) return before;  // libdeflate takes a null pointer for a new beginning
  return libdeflate_crc32(before, bytes, size);
}

}  // namespace barlow
