// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>

#include "barlow/tensor/view.hpp"

/// What an address allows. A tensor may be a window that begins anywhere in another, so nothing is taken for granted.
/// Plain arithmetic, for the host.
namespace barlow::cuda {

/// The largest power of two that divides an address, at most 256: what cuBLAS takes for granted unless it is told.
inline std::uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data) | 256U;
  return static_cast<std::uint32_t>(address & (~address + 1));
}

/// How many neighbours a thread takes at a time: 8 of 2 bytes each, else 4, where that many divide `extent` and every
/// tensor begins at a multiple of that many of its own elements; else 1. Empty tensors do not count.
/// @param element_bytes  of the smallest tensor that matters for speed
inline int access_width(std::int64_t extent, std::size_t element_bytes,
                        std::initializer_list<ConstTensorView> tensors) {
  for (const int width : {8, 4}) {
    if (width == 8 && element_bytes != 2) continue;
    bool fits = extent % width == 0;
    for (const ConstTensorView& x : tensors)
      fits =
          fits && reinterpret_cast<std::uintptr_t>(x.data) % (static_cast<std::size_t>(width) * size_of(x.dtype)) == 0;
    if (fits) return width;
  }
  return 1;
}

}  // namespace barlow::cuda
