// SPDX-License-Identifier: Apache-2.0
#include "memory_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/comm/agreement.hpp"

namespace barlow::train {
namespace {

// Estimates, to be replaced by what a GPU shows: cuDNN's and cuBLAS's kernels, and the buffers of two NCCL
// communicators.
constexpr std::size_t kKernelsBytes = std::size_t{512} << 20, kConnectionsBytes = std::size_t{1} << 30;

double gib(std::size_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024 * 1024); }

}  // namespace

MemoryPlan plan_memory(const PretrainConfig& config, const RunPlan& plan, const Runtime& runtime) {
  MemoryPlan memory;
  memory.step = TrainingStep::measure(config, plan.step, runtime.session.world_size());
  memory.workspace_bytes = runtime.backend.reserved_bytes();
  memory.batches_bytes =
      static_cast<std::size_t>(plan.loader.queue_depth + 2) * plan.step.batch_bytes(config.image_size);
  nn::ParameterLayout layout;
  const Model model(layout, config);
  memory.state_copy_bytes =
      static_cast<std::size_t>(2 * layout.parameter_elements() + layout.buffer_elements()) * sizeof(float);
  return memory;
}

std::string describe_device_memory(const MemoryPlan& memory) {
  return fmt::format("{:.2f} GiB per rank: parameters {:.2f}, activations {:.2f}, input {:.2f}, workspace {:.2f}",
                     gib(memory.device_bytes()), gib(memory.step.parameters_bytes), gib(memory.step.activations_bytes),
                     gib(memory.step.input_bytes), gib(memory.workspace_bytes));
}

std::string describe_host_memory(const MemoryPlan& memory) {
  return fmt::format("{:.2f} GiB of the host per rank for batches, {:.2f} on rank 0 for checkpoints",
                     gib(memory.batches_bytes), gib(memory.state_copy_bytes));
}

std::int64_t largest_fit(const std::function<std::size_t(std::int64_t local_batch)>& wanted_bytes,
                         std::int64_t local_batch, FreeMemory free) {
  const std::size_t available = free.bytes - std::min(free.bytes, free.libraries_bytes);
  std::int64_t fits = 0, too_large = local_batch;
  while (too_large - fits > 1) {
    const std::int64_t middle = fits + (too_large - fits) / 2;
    (wanted_bytes(middle) <= available ? fits : too_large) = middle;
  }
  return fits;
}

std::string check_memory(const PretrainConfig& config, const StepOptions& options, const MemoryPlan& memory,
                         int world_size, FreeMemory free) {
  const std::size_t wanted = memory.wanted_bytes();
  if (wanted + free.libraries_bytes <= free.bytes) return "";
  const auto wanted_by = [&](std::int64_t local_batch) {
    StepOptions smaller = options;
    smaller.local_batch = local_batch;
    smaller.loss.divisor = local_batch * world_size;
    return TrainingStep::measure(config, smaller, world_size).total_bytes();
  };
  const std::int64_t fits = largest_fit(wanted_by, options.local_batch, free) * world_size;
  // Statistics need two images.
  const std::string remedy =
      fits >= 2 ? fmt::format("--batch-size {} would fit on {} rank{}", fits, world_size, world_size == 1 ? "" : "s")
                : std::string("no batch would fit: give a smaller --projector, --architecture or --image-size");
  const std::string facts = fmt::format(
      "--batch-size {}: {} images per rank want {:.2f} GiB (parameters {:.2f}, activations {:.2f}, input {:.2f}) of "
      "the device's {:.2f} GiB that are free, and libraries about {:.2f}; {}",
      config.batch_size, options.local_batch, gib(wanted), gib(memory.step.parameters_bytes),
      gib(memory.step.activations_bytes), gib(memory.step.input_bytes), gib(free.bytes), gib(free.libraries_bytes),
      remedy);
  if (wanted > free.bytes) throw ConfigError(facts);
  return facts;
}

void require_memory(const PretrainConfig& config, const RunPlan& plan, const MemoryPlan& memory,
                    const Runtime& runtime) {
  const MpiSession& session = runtime.session;
  const std::string device = session.host() + " " + runtime.backend.device_id();
  const auto devices = session.gather(device);
  const auto sharers = static_cast<std::size_t>(std::count(devices.begin(), devices.end(), device));
  const std::string warning = collectively(session, [&] {
    const auto free_bytes = runtime.backend.free_bytes();
    if (!free_bytes) return std::string();
    const std::size_t connections = session.world_size() > 1 && sharers == 1 ? kConnectionsBytes : 0;
    return check_memory(config, plan.step, memory, session.world_size(),
                        {.bytes = *free_bytes / sharers, .libraries_bytes = kKernelsBytes + connections});
  });
  if (session.is_root() && !warning.empty()) log::warning("memory is tight: " + warning);
}

}  // namespace barlow::train
