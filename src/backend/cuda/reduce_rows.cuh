// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "element.cuh"
#include "launch.cuh"
#include "row_position.cuh"

/// Two sums per view and channel over rows, in f64 and always in the same order: batch norm's, and columns of products.
namespace barlow::cuda {

/// f64 numbers that reduce_rows() needs for its blocks' parts.
inline std::int64_t parts_of(const RowGrid& grid, std::int64_t views) {
  return grid.splits * views * 2 * grid.channels;
}

/// parts [splits,V,2,C] of the sums that `Rows` makes. For each thread:
///   rows.constants(view, channel) loads what its channels need;
///   rows.read(index of the first element) loads one row, kTogether of them at a time;
///   rows.add(constants, rows, at, stride, first, second) adds the N terms of each to both sums; see for_rows().
template <int N, class Rows>
__global__ void __launch_bounds__(kBlock, 2) reduce_rows(RowGrid grid, Rows rows, double* parts) {
  __shared__ double shared[N][kBlock];
  const RowPosition p(grid);
  double sums[2][N] = {};
  if (p.channel < grid.channels) {
    const auto constants = rows.constants(p.view, p.channel);
    for_rows<Rows::kTogether>(
        grid, p, [&](std::int64_t at) { return rows.read(at); },
        [&](const auto& batch, std::int64_t at, std::int64_t stride) {
          rows.add(constants, batch, at, stride, sums[0], sums[1]);
        });
  }
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  for (int which = 0; which < 2; ++which) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < N; ++i) shared[i][thread] = sums[which][i];
    for (int half = static_cast<int>(blockDim.y) / 2; half > 0; half /= 2) {
      __syncthreads();
      if (static_cast<int>(threadIdx.y) >= half) continue;
#pragma unroll
      for (int i = 0; i < N; ++i) shared[i][thread] += shared[i][thread + half * static_cast<int>(blockDim.x)];
    }
    if (threadIdx.y == 0 && p.channel < grid.channels) {
      const std::int64_t sum = (static_cast<std::int64_t>(blockIdx.y) * gridDim.z + p.view) * 2 + which;
#pragma unroll
      for (int i = 0; i < N; ++i) parts[sum * grid.channels + p.channel + i] = shared[i][thread];
    }
  }
}

/// Channels, sums and splits that a block of fold_parts() works on at a time: a thread each.
inline constexpr int kFoldChannels = 8, kFoldSums = 4, kFoldSplits = 32;

/// Adds up the parts: sums [V,2,C]. A block takes kFoldChannels channels, with both sums of two views at once, and
/// calls finish(channel, sums) once for each channel when all its sums stand.
template <class Finish>
__global__ void __launch_bounds__(kFoldChannels* kFoldSums* kFoldSplits)
    fold_parts(int splits, int views, std::int64_t channels, const double* parts, double* sums, Finish finish) {
  __shared__ double shared[kFoldSplits][kFoldSums][kFoldChannels];
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y), z = static_cast<int>(threadIdx.z);
  const std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * kFoldChannels + x;
  for (int first = 0; first < 2 * views; first += kFoldSums) {
    const int sum = first + y;
    const bool exists = channel < channels && sum < 2 * views;
    const std::int64_t at = sum * channels + channel, all = 2 * views * channels;
    double total = 0;
    if (exists) {
#pragma unroll 4
      for (int split = z; split < splits; split += kFoldSplits) total += parts[split * all + at];
    }
    __syncthreads();  // the memory may still be read from the sums before
    shared[z][y][x] = total;
    for (int half = kFoldSplits / 2; half > 0; half /= 2) {
      __syncthreads();
      if (z < half) shared[z][y][x] += shared[z + half][y][x];
    }
    if (z == 0 && exists) sums[at] = shared[0][y][x];
  }
  __syncthreads();
  if (y == 0 && z == 0 && channel < channels) finish(channel, sums);
}

struct NothingMore {
  __device__ void operator()(std::int64_t, double*) const {}
};

/// Both kernels, one after the other. @param parts  device memory of parts_of() numbers
template <int N, class Rows, class Finish>
void sum_rows(const RowGrid& grid, std::int64_t views, Rows rows, Finish finish, double* parts, double* sums,
              cudaStream_t stream) {
  launch(reduce_rows<N, Rows>, blocks_of(grid, views), threads_of(grid), stream, grid, rows, parts);
  launch(fold_parts<Finish>, dim3(static_cast<unsigned>((grid.channels + kFoldChannels - 1) / kFoldChannels)),
         dim3(kFoldChannels, kFoldSums, kFoldSplits), stream, grid.splits, static_cast<int>(views), grid.channels,
         parts, sums, finish);
}

}  // namespace barlow::cuda
