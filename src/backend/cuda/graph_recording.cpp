// SPDX-License-Identifier: Apache-2.0
#include "graph_recording.hpp"

#include <exception>

namespace barlow::cuda {
namespace {

// Other threads (the loader's, the watch over NCCL) may go on calling the runtime meanwhile: only this one is watched.
Graph capture(cudaStream_t stream, const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  std::exception_ptr error;
  try {
    work();
  } catch (...) {
    error = std::current_exception();
  }
  cudaGraph_t raw = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(stream, &raw);  // in any case: the stream must work again
  Graph graph(raw);
  if (error || ended != cudaSuccess) cudaGetLastError();  // the error is told here, not at the next call
  if (error) std::rethrow_exception(error);
  check(ended);
  return graph;
}

}  // namespace

GraphRecording::GraphRecording(cudaStream_t stream, const std::function<void()>& work) : stream_(stream) {
  const Graph graph = capture(stream, work);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph.get(), 0));
  graph_.reset(executable);
  check(cudaGraphUpload(graph_.get(), stream_));
}

void GraphRecording::replay() { check(cudaGraphLaunch(graph_.get(), stream_)); }

}  // namespace barlow::cuda
