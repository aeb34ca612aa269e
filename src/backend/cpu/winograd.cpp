// SPDX-License-Identifier: Apache-2.0
#include "winograd.hpp"

#include <algorithm>

#include "element.hpp"
#include "partition.hpp"
#include "primitives.hpp"
#include "winograd_kernels.hpp"

namespace barlow::cpu {
namespace {

constexpr int kPositions = 16, kFilterSize = 9;
constexpr int kTile = 2, kSeen = 4;  // pixels along a side

/// Images in tiles of 2x2 pixels, the tiles of all images in one sequence.
struct Tiles {
  std::int64_t N, H, W;

  std::int64_t down() const { return (H + kTile - 1) / kTile; }
  std::int64_t across() const { return (W + kTile - 1) / kTile; }
  std::int64_t count() const { return N * down() * across(); }

  /// The pixels of a tile (kSide = kTile), or those and a border of one pixel (kSeen): a pointer for each to its
  /// `channels` numbers, `outside` beyond the image.
  template <int kSide, class T>
  void find_pixels(T* images, std::int64_t channels, std::int64_t tile, T* outside, T** pixels) const {
    const std::int64_t row = tile / across(), n = row / down();
    const std::int64_t top = row % down() * kTile - (kSide - kTile) / 2;
    const std::int64_t left = tile % across() * kTile - (kSide - kTile) / 2;
    for (std::int64_t h = top; h < top + kSide; ++h) {
      for (std::int64_t w = left; w < left + kSide; ++w) {
        const bool inside = h >= 0 && h < H && w >= 0 && w < W;
        *pixels++ = inside ? images + ((n * H + h) * W + w) * channels : outside;
      }
    }
  }
};

/// A matrix for each position, one behind the other.
template <class T>
struct Positions {
  T* data;
  std::int64_t rows, channels;

  void find_row(std::int64_t row, T** entries) const {
    for (int i = 0; i < kPositions; ++i) entries[i] = data + (i * rows + row) * channels;
  }
};

/// Tiles `first` and those behind it, a row of each matrix for each. `zeros` are as many as channels.
template <int kSide>
void spread_tiles(Transform* transform, const Tiles& tiles, std::int64_t first, const float* images, const float* zeros,
                  Positions<float> to) {
  const float* pixels[kSide * kSide];
  float* entries[kPositions];
  for (std::int64_t row = 0; row < to.rows; ++row) {
    tiles.find_pixels<kSide>(images, to.channels, first + row, zeros, pixels);
    to.find_row(row, entries);
    transform(pixels, entries, to.channels);
  }
}

/// And back; what lies beyond the border goes to `unwanted`.
void gather_tiles(Transform* transform, const Tiles& tiles, std::int64_t first, Positions<const float> from,
                  float* unwanted, float* images) {
  const float* entries[kPositions];
  float* pixels[kTile * kTile];
  for (std::int64_t row = 0; row < from.rows; ++row) {
    from.find_row(row, entries);
    tiles.find_pixels<kTile>(images, from.channels, first + row, unwanted, pixels);
    transform(entries, pixels, from.channels);
  }
}

constexpr std::int64_t kTilesAtOnce = 256;  // enough for fast products, few enough for the caches

/// What a thread works in: the matrices of the tiles that it has at once, of images with C and with K channels, and a
/// pixel of each that lies beyond the border.
struct TileMemory {
  TileMemory(float* memory, std::int64_t C, std::int64_t K)
      : border_c(memory),
        border_k(border_c + C),
        matrices_c(border_k + K),
        matrices_k(matrices_c + kPositions * kTilesAtOnce * C) {
    std::fill_n(memory, C + K, 0.0F);
  }
  static std::int64_t size(std::int64_t C, std::int64_t K) { return (kPositions * kTilesAtOnce + 1) * (C + K); }

  float *border_c, *border_k, *matrices_c, *matrices_k;
};

/// Calls f(first, count) for tiles of a range, some at a time.
template <class F>
void for_some_tiles(Range range, F&& f) {
  for (std::int64_t first = range.first; first < range.last; first += kTilesAtOnce)
    f(first, std::min(kTilesAtOnce, range.last - first));
}

/// c [M,N] = op(a) op(b) + beta c, on one thread where others compute too.
void multiply(const GemmDesc& d, const float* a, const float* b, float* c) {
  dnnl::sgemm(d.transpose_a ? 'T' : 'N', d.transpose_b ? 'T' : 'N', d.M, d.N, d.K, 1, a, d.transpose_a ? d.M : d.K, b,
              d.transpose_b ? d.K : d.N, d.beta, c, d.N);
}

float* floats(Primitives& primitives, std::int64_t count) {
  return reinterpret_cast<float*>(primitives.scratch(static_cast<std::size_t>(count) * sizeof(float)));
}

}  // namespace

bool fits_winograd(const Conv2dDesc& d) {
  return d.R == 3 && d.S == 3 && d.stride == 1 && d.padding == 1 && d.dtype == DType::kF32;
}

void winograd_conv2d(Primitives& primitives, const Conv2dDesc& d, ConstTensorView x, ConstTensorView w, bool turned,
                     TensorView y, int num_threads) {
  const Tiles tiles{d.N, d.H, d.W};
  const std::int64_t filters = turned ? d.C : d.K, channels = turned ? d.K : d.C;
  const std::int64_t filter_size = kPositions * d.C * d.K, thread_size = TileMemory::size(d.C, d.K);
  float* const memory = floats(primitives, filter_size + num_threads * thread_size);
  const Positions<float> filter{memory, filters, channels};
  const WinogradKernels& kernels = winograd_kernels();
  parallel_ranges(num_threads, filters, [&](Range range, int) {
    const float* from[kFilterSize];
    float *row[kPositions], *to[kPositions];
    // G of a reversed vector is G of the vector with its first and last entry exchanged.
    constexpr int kReversed[] = {3, 1, 2, 0};
    for (std::int64_t k = range.first; k < range.last; ++k) {
      for (int i = 0; i < kFilterSize; ++i) from[i] = data_of<float>(w) + (k * kFilterSize + i) * channels;
      filter.find_row(k, row);
      for (int i = 0; i < kPositions; ++i) to[i] = row[turned ? kReversed[i / 4] * 4 + kReversed[i % 4] : i];
      kernels.filter(from, to, channels);
    }
  });
  parallel_ranges(num_threads, tiles.count(), [&](Range range, int thread) {
    const TileMemory own(memory + filter_size + thread * thread_size, d.C, d.K);
    for_some_tiles(range, [&](std::int64_t first, std::int64_t count) {
      spread_tiles<kSeen>(kernels.input, tiles, first, data_of<float>(x), own.border_c, {own.matrices_c, count, d.C});
      for (int i = 0; i < kPositions; ++i) {
        multiply({.M = count, .N = d.K, .K = d.C, .transpose_b = !turned}, own.matrices_c + i * count * d.C,
                 filter.data + i * d.C * d.K, own.matrices_k + i * count * d.K);
      }
      gather_tiles(kernels.output, tiles, first, {own.matrices_k, count, d.K}, own.border_k, data_of<float>(y));
    });
  });
}

void winograd_grad_filter(Primitives& primitives, const Conv2dDesc& d, ConstTensorView x, ConstTensorView dy,
                          TensorView dw, int num_threads) {
  const Tiles tiles{d.N, d.H, d.W};
  const std::int64_t filter_size = kPositions * d.C * d.K, task_size = TileMemory::size(d.C, d.K);
  constexpr std::int64_t kMostSums = 16 << 20;  // numbers
  const SlicedSum sum(num_threads, tiles.count(), kPositions, kMostSums / filter_size);
  float* const sums = floats(primitives, sum.slices() * filter_size + sum.tasks() * task_size);
  const WinogradKernels& kernels = winograd_kernels();
  sum.run([&](std::int64_t task, std::int64_t slice, Range range, Range positions) {
    const TileMemory own(sums + sum.slices() * filter_size + task * task_size, d.C, d.K);
    float* const own_sums = sums + slice * filter_size;
    if (range.first == range.last)
      std::fill(own_sums + positions.first * d.C * d.K, own_sums + positions.last * d.C * d.K, 0.0F);
    for_some_tiles(range, [&](std::int64_t first, std::int64_t count) {
      spread_tiles<kSeen>(kernels.input, tiles, first, data_of<float>(x), own.border_c, {own.matrices_c, count, d.C});
      spread_tiles<kTile>(kernels.output_grad, tiles, first, data_of<float>(dy), own.border_k,
                          {own.matrices_k, count, d.K});
      const float beta = first > range.first ? 1.0F : 0.0F;
      for (std::int64_t i = positions.first; i < positions.last; ++i) {
        multiply({.M = d.K, .N = d.C, .K = count, .transpose_a = true, .beta = beta}, own.matrices_k + i * count * d.K,
                 own.matrices_c + i * count * d.C, own_sums + i * d.C * d.K);
      }
    });
  });
  parallel_ranges(num_threads, d.K, [&](Range range, int) {
    float* entries[kPositions];
    float* to[kFilterSize];
    for (std::int64_t k = range.first; k < range.last; ++k) {
      Positions<float>{sums, d.K, d.C}.find_row(k, entries);
      for (std::int64_t slice = 1; slice < sum.slices(); ++slice) {
        for (float* const entry : entries)
          for (std::int64_t c = 0; c < d.C; ++c) entry[c] += entry[slice * filter_size + c];
      }
      for (int i = 0; i < kFilterSize; ++i) to[i] = data_of<float>(dw) + (k * kFilterSize + i) * d.C;
      kernels.filter_grad(entries, to, d.C);
    }
  });
}

}  // namespace barlow::cpu
