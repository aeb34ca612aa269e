// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <type_traits>

#include "check.hpp"

/// Library handles that destroy themselves. Made by the functions below, which throw DeviceError.
namespace barlow::cuda {

namespace detail {
struct Destroy {
  void operator()(cudaStream_t stream) const noexcept { cudaStreamDestroy(stream); }
  void operator()(cudaEvent_t event) const noexcept { cudaEventDestroy(event); }
  void operator()(cudaGraph_t graph) const noexcept { cudaGraphDestroy(graph); }
  void operator()(cudaGraphExec_t graph) const noexcept { cudaGraphExecDestroy(graph); }
  void operator()(cublasLtHandle_t handle) const noexcept { cublasLtDestroy(handle); }
  void operator()(cudnnHandle_t handle) const noexcept { cudnnDestroy(handle); }
};
template <class Handle>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
}  // namespace detail

using Stream = detail::Owner<cudaStream_t>;
using Event = detail::Owner<cudaEvent_t>;
using Graph = detail::Owner<cudaGraph_t>;
using GraphExec = detail::Owner<cudaGraphExec_t>;
using CublasLt = detail::Owner<cublasLtHandle_t>;
using Cudnn = detail::Owner<cudnnHandle_t>;

inline Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return Stream(stream);
}
/// For ordering streams, without a time stamp.
inline Event make_event(unsigned flags = cudaEventDisableTiming) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, flags));
  return Event(event);
}
inline CublasLt make_cublas() {
  cublasLtHandle_t handle = nullptr;
  check(cublasLtCreate(&handle));
  return CublasLt(handle);
}
inline Cudnn make_cudnn(cudaStream_t stream) {
  cudnnHandle_t handle = nullptr;
  check(cudnnCreate(&handle));
  Cudnn owner(handle);
  check(cudnnSetStream(handle, stream));
  return owner;
}

}  // namespace barlow::cuda
