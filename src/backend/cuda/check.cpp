// SPDX-License-Identifier: Apache-2.0
#include "check.hpp"

#include <string>

#include "barlow/base/error.hpp"

namespace barlow::cuda {

void check(cudaError_t status, std::source_location where) {
  if (status == cudaSuccess) return;
  throw DeviceError(std::string("CUDA: ") + cudaGetErrorName(status) + ", " + cudaGetErrorString(status), where);
}

void check(cublasStatus_t status, std::source_location where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError(std::string("cuBLAS: ") + cublasLtGetStatusString(status), where);
}

void check(cudnnStatus_t status, std::source_location where) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw DeviceError(std::string("cuDNN: ") + cudnnGetErrorString(status), where);
}

}  // namespace barlow::cuda
