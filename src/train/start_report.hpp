// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory_plan.hpp"

namespace barlow::train {

/// Tells a person what is about to run: ranks, hosts and devices, model and memory, data, steps. Collective.
void report_start(const PretrainConfig& config, const RunPlan& plan, const MemoryPlan& memory,
                  const data::Dataset& dataset, const Runtime& runtime);

}  // namespace barlow::train
