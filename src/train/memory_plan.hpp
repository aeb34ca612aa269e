// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "run_plan.hpp"

namespace barlow::train {

/// What a rank's memory is for, known before the first step.
struct MemoryPlan {
  TrainingStep::Memory step;        ///< of the device: parameters, activations, input, allocated with the TrainingStep
  std::size_t workspace_bytes = 0;  ///< of the device: what the backend has taken for its libraries
  std::size_t batches_bytes = 0;  ///< of the host: batches made ahead, the one on its way to the device, the one in use
  std::size_t state_copy_bytes = 0;  ///< of rank 0's host: for checkpoints

  std::size_t wanted_bytes() const { return step.total_bytes(); }
  std::size_t device_bytes() const { return wanted_bytes() + workspace_bytes; }
};
MemoryPlan plan_memory(const PretrainConfig& config, const RunPlan& plan, const Runtime& runtime);

/// Two lines for people: the device's memory and the host's.
std::string describe_device_memory(const MemoryPlan& memory);
std::string describe_host_memory(const MemoryPlan& memory);

/// What a device has left, as one rank may use it.
struct FreeMemory {
  std::size_t bytes = 0;
  /// Of these, what libraries take at the first step: kernels are loaded, and ranks connected, when first used.
  std::size_t libraries_bytes = 0;
};

/// The largest number of images per rank below `local_batch` whose step fits, as `wanted_bytes` measures it; 0 if none.
std::int64_t largest_fit(const std::function<std::size_t(std::int64_t local_batch)>& wanted_bytes,
                         std::int64_t local_batch, FreeMemory free);

/// Whether the plan fits: empty, or a warning that it hardly does.
/// @throws ConfigError when it does not, with the largest --batch-size that would
std::string check_memory(const PretrainConfig& config, const StepOptions& options, const MemoryPlan& memory,
                         int world_size, FreeMemory free);

/// check_memory() on every rank, where the device knows its free memory; ranks that share a device share it.
/// Collective.
/// @throws AgreedError (refused)
void require_memory(const PretrainConfig& config, const RunPlan& plan, const MemoryPlan& memory,
                    const Runtime& runtime);

}  // namespace barlow::train
