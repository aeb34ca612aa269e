// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "barlow/backend/op_descriptors.hpp"

struct cudnnContext;

namespace barlow::cuda {

enum class ConvKind { kForward, kGradInput, kGradFilter };

/// A convolution to be planned.
struct ConvKey {
  Conv2dDesc desc;
  ConvKind kind;
  bool tf32 = false;           ///< kF32 inputs may be rounded to TF32
  bool deterministic = false;  ///< equal bits from equal runs

  /// One word for files and logs: `bf16 forward 512x56x56x64 64x1x1 stride 1 padding 0`.
  std::string to_string() const;
};

/// The plans that cuDNN's heuristics propose for one convolution, best guess first. All cuDNN graph code is behind this
/// class: its headers take half a minute to compile.
class ConvGraph {
 public:
  /// For the device that is there.
  ConvGraph(const ConvKey& key, cudnnContext* handle);
  /// For a device that need not be there. @param device  cuDNN's JSON description of it
  ConvGraph(const ConvKey& key, const std::string& device);
  ConvGraph(ConvGraph&&) noexcept;
  ~ConvGraph();

  int num_plans() const;
  /// Makes plan `index` ready. False if this device or library cannot run it after all.
  bool build(int index);
  /// Engine and settings in cuDNN's words; of a plan that need not be built.
  std::string name(int index) const;
  /// What scratch memory a plan that is built needs.
  std::int64_t workspace_bytes(int index) const;
  /// In the order of the handle's stream. Device memory; y is written for kForward, x for kGradInput, w, in the type of
  /// x, for kGradFilter. @throws DeviceError
  void execute(int index, cudnnContext* handle, void* x, void* w, void* y, void* workspace) const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace barlow::cuda
