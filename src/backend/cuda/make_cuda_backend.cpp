// SPDX-License-Identifier: Apache-2.0
#include "../make_cuda_backend.hpp"

#include <fmt/format.h>

#include "cuda_backend.hpp"
#include "device.hpp"

namespace barlow::cuda {

bool is_available() { return find_devices().count > 0; }

std::unique_ptr<Backend> make_backend(const BackendOptions& options) {
  return std::make_unique<CudaBackend>(CudaOptions{.device = choose_device(find_devices(), options.local_rank),
                                                   .tf32 = options.tf32,
                                                   .deterministic = options.deterministic});
}

std::string library_versions() {
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  const auto cublas = cublasLtGetVersion();
  return fmt::format("CUDA {}.{}\n{}\ncuBLAS {}.{}.{}\n", runtime / 1000, runtime % 1000 / 10, cudnn_version(),
                     cublas / 10000, cublas % 10000 / 100, cublas % 100);
}

}  // namespace barlow::cuda
