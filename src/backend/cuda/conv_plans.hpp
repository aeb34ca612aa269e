// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "conv_graph.hpp"
#include "handles.hpp"
#include "plan_cache.hpp"

namespace barlow::cuda {

/// Runs convolutions by the plan that was fastest on this device: found by timing the heuristics' best candidates on
/// the first call's own tensors, once, and remembered on disk.
class ConvPlans {
 public:
  struct Workspace {
    void* data;
    std::size_t size_bytes;  ///< plans that need more are not considered
  };
  ConvPlans(cudaStream_t stream, PlanCache cache, Workspace workspace);

  /// In the order of the stream; see ConvGraph::execute for x, w and y. The first call for a key waits for the device.
  /// @throws DeviceError if no plan runs it
  void run(const ConvKey& key, void* x, void* w, void* y);

 private:
  struct Choice {
    ConvGraph graph;
    int plan;
  };
  Choice choose(const ConvKey& key, void* x, void* w, void* y);
  float milliseconds(const ConvGraph& graph, int plan, void* x, void* w, void* y);

  cudaStream_t stream_;
  Cudnn cudnn_;
  Event start_, stop_;
  PlanCache cache_;
  Workspace workspace_;
  std::map<std::string, Choice> choices_;
};

}  // namespace barlow::cuda
