// SPDX-License-Identifier: Apache-2.0
#include "unfold.hpp"

#include <cstddef>
#include <cstring>

#include "partition.hpp"

namespace barlow::cpu {
namespace {

/// Memory in units of `size` bytes: a pixel's channels.
struct Pixels {
  std::size_t size;

  std::byte* at(void* memory, std::int64_t index) const {
    return static_cast<std::byte*>(memory) + static_cast<std::size_t>(index) * size;
  }
  const std::byte* at(const void* memory, std::int64_t index) const {
    return static_cast<const std::byte*>(memory) + static_cast<std::size_t>(index) * size;
  }
};

Pixels pixels_of(const Conv2dDesc& d) { return {static_cast<std::size_t>(d.C) * size_of(d.dtype)}; }

bool is_inside(std::int64_t position, std::int64_t extent) { return position >= 0 && position < extent; }

}  // namespace

void unfold(const Conv2dDesc& d, const void* x, void* patches, int num_threads) {
  const Pixels pixels = pixels_of(d);
  const std::int64_t P = d.P(), Q = d.Q();
  parallel_ranges(num_threads, d.N * P, [&](Range range, int) {
    std::byte* out = pixels.at(patches, range.first * Q * d.R * d.S);
    for (std::int64_t row = range.first; row < range.last; ++row) {
      const std::int64_t n = row / P, top = row % P * d.stride - d.padding;
      for (std::int64_t q = 0; q < Q; ++q) {
        for (int r = 0; r < d.R; ++r) {
          for (int s = 0; s < d.S; ++s, out += pixels.size) {
            const std::int64_t h = top + r, w = q * d.stride - d.padding + s;
            if (is_inside(h, d.H) && is_inside(w, d.W)) {
              std::memcpy(out, pixels.at(x, (n * d.H + h) * d.W + w), pixels.size);
            } else {
              std::memset(out, 0, pixels.size);
            }
          }
        }
      }
    }
  });
}

void spread(const Conv2dDesc& d, const void* met, void* dx, int num_threads) {
  const Pixels pixels = pixels_of(d);
  parallel_ranges(num_threads, d.N * d.H, [&](Range range, int) {
    for (std::int64_t row = range.first; row < range.last; ++row) {
      const std::int64_t n = row / d.H, h = row % d.H, p = h / d.stride;
      std::byte* out = pixels.at(dx, row * d.W);
      std::memset(out, 0, static_cast<std::size_t>(d.W) * pixels.size);
      if (h % d.stride != 0) continue;
      const std::byte* in = pixels.at(met, (n * d.P() + p) * d.Q());
      for (std::int64_t w = 0; w < d.W; w += d.stride, in += pixels.size) {
        std::memcpy(out + static_cast<std::size_t>(w) * pixels.size, in, pixels.size);
      }
    }
  });
}

void turn_filter(const Conv2dDesc& d, const void* w, void* turned, int num_threads) {
  const Pixels pixels = pixels_of(d);
  const std::int64_t positions = std::int64_t{d.R} * d.S;
  parallel_ranges(num_threads, positions, [&](Range range, int) {
    for (std::int64_t position = range.first; position < range.last; ++position) {
      for (std::int64_t k = 0; k < d.K; ++k) {
        std::memcpy(pixels.at(turned, position * d.K + k), pixels.at(w, (k + 1) * positions - 1 - position),
                    pixels.size);
      }
    }
  });
}

}  // namespace barlow::cpu
