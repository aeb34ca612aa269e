// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace barlow {

/// CRC-32 of gzip, PNG and zlib (ISO 3309), continued from that of the bytes before; at the speed of memory where the
/// processor multiplies polynomials.
std::uint32_t crc32_of(const void* bytes, std::size_t size, std::uint32_t before = 0);

}  // namespace barlow
