// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "check.hpp"

namespace barlow::cuda {

inline constexpr int kBlock = 256;  // threads of most kernels
/// Blocks that fill every device for several waves. Fixed, so that a sum's order depends on its shape only and not on
/// the device.
inline constexpr int kManyBlocks = 2048;

/// Starts a kernel; a refused launch throws DeviceError.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream, Arguments... arguments) {
  kernel<<<grid, block, 0, stream>>>(static_cast<Parameters>(arguments)...);
  check(cudaGetLastError());
}

/// Blocks of kBlock threads for `count` items, each thread striding on where they are too many.
inline dim3 blocks_for(std::int64_t count) {
  const std::int64_t blocks = (count + kBlock - 1) / kBlock;
  return dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks < 8 * kManyBlocks ? blocks : 8 * kManyBlocks));
}

/// The first item of this thread, and how far it is to the next.
__device__ inline std::int64_t first_item() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline std::int64_t item_stride() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

/// The sum over a block of kBlock threads, on thread 0; every thread calls it. Always added in the same order.
__device__ inline double sum_of_block(double value) {
  __shared__ double shared[kBlock];
  __syncthreads();  // the memory may still be read from a sum before
  shared[threadIdx.x] = value;
  for (int half = kBlock / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < half) shared[threadIdx.x] += shared[threadIdx.x + half];
  }
  __syncthreads();
  return shared[0];
}

}  // namespace barlow::cuda
