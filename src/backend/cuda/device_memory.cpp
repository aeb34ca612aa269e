// SPDX-License-Identifier: Apache-2.0
#include "device_memory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "barlow/base/error.hpp"

namespace barlow::cuda {
namespace {
double gib(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 30); }
}  // namespace

Buffer allocate_device(std::size_t size_bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, std::max<std::size_t>(1, size_bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the error is told here, not at the next call
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total));
    throw DeviceError(
        fmt::format("cannot allocate {:.2f} GiB on the GPU: {:.2f} of {:.2f} GiB are free; use a smaller "
                    "--batch-size, or more GPUs",
                    gib(size_bytes), gib(free), gib(total)));
  }
  check(status);
  return {memory, size_bytes, [](void* p) noexcept { cudaFree(p); }};
}

Buffer allocate_pinned(std::size_t size_bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, std::max<std::size_t>(1, size_bytes)));
  return {memory, size_bytes, [](void* p) noexcept { cudaFreeHost(p); }};
}

}  // namespace barlow::cuda
