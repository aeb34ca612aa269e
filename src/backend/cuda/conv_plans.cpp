// SPDX-License-Identifier: Apache-2.0
#include "conv_plans.hpp"

#include <fmt/format.h>

#include <limits>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"

namespace barlow::cuda {
namespace {
constexpr int kCandidates = 10, kRuns = 3;
}

ConvPlans::ConvPlans(cudaStream_t stream, PlanCache cache, Workspace workspace)
    : stream_(stream),
      cudnn_(make_cudnn(stream)),
      start_(make_event(cudaEventDefault)),
      stop_(make_event(cudaEventDefault)),
      cache_(std::move(cache)),
      workspace_(workspace) {}

void ConvPlans::run(const ConvKey& key, void* x, void* w, void* y) {
  const std::string name = key.to_string();
  auto found = choices_.find(name);
  if (found == choices_.end()) found = choices_.emplace(name, choose(key, x, w, y)).first;
  found->second.graph.execute(found->second.plan, cudnn_.get(), x, w, y, workspace_.data);
}

ConvPlans::Choice ConvPlans::choose(const ConvKey& key, void* x, void* w, void* y) {
  const std::string convolution = key.to_string();
  ConvGraph graph(key, cudnn_.get());
  const auto fits = [&](int plan) {
    return graph.build(plan) && graph.workspace_bytes(plan) <= static_cast<std::int64_t>(workspace_.size_bytes);
  };
  if (const auto known = cache_.find(convolution)) {
    for (int plan = 0; plan < graph.num_plans(); ++plan) {
      if (graph.name(plan) == *known && fits(plan)) return {std::move(graph), plan};
    }
  }
  // What an earlier operation did wrong is not a plan's fault, and an exchange that still runs would slow some of them.
  check(cudaDeviceSynchronize());
  int best = -1, tried = 0;
  float best_time = std::numeric_limits<float>::infinity();
  for (int plan = 0; plan < graph.num_plans() && tried < kCandidates; ++plan) {
    if (!fits(plan)) continue;
    ++tried;
    const float time = milliseconds(graph, plan, x, w, y);
    if (time < best_time) {
      best_time = time;
      best = plan;
    }
    if (key.deterministic && best >= 0) break;  // the first of the heuristics' that runs: always the same
  }
  if (best < 0) {
    throw DeviceError(
        fmt::format("cuDNN has no plan for the convolution {} within {} MiB of workspace; use another "
                    "--precision",
                    convolution, workspace_.size_bytes >> 20));
  }
  log::debug(fmt::format("{}: {:.3f} ms, plan {} of {}, {}", convolution, static_cast<double>(best_time), best,
                         graph.num_plans(), graph.name(best)));
  cache_.keep(convolution, graph.name(best));
  return {std::move(graph), best};
}

/// The fastest of a few runs after one that warms up; infinity if the plan fails.
float ConvPlans::milliseconds(const ConvGraph& graph, int plan, void* x, void* w, void* y) {
  float best = std::numeric_limits<float>::infinity();
  try {
    for (int run = 0; run <= kRuns; ++run) {
      check(cudaEventRecord(start_.get(), stream_));
      graph.execute(plan, cudnn_.get(), x, w, y, workspace_.data);
      check(cudaEventRecord(stop_.get(), stream_));
      check(cudaEventSynchronize(stop_.get()));
      float time = 0;
      check(cudaEventElapsedTime(&time, start_.get(), stop_.get()));
      if (run > 0) best = std::min(best, time);
    }
  } catch (const DeviceError& error) {
    log::debug(std::string("a plan does not run: ") + error.what());
    cudaGetLastError();              // a launch that was refused is over with that;
    check(cudaDeviceSynchronize());  // a fault of the device is not
    return std::numeric_limits<float>::infinity();
  }
  return best;
}

}  // namespace barlow::cuda
