// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "barlow/optim/loss_scale.hpp"

namespace barlow::train {

/// Everything about a run but its tensors.
struct RunState {
  std::int64_t step = 0;      ///< steps done
  std::int64_t restarts = 0;  ///< how often the run was taken up again
  double rank_seconds = 0;    ///< trained by all ranks together, up to this state
  std::string configuration;  ///< JSON
  std::string data_fingerprint;
  optim::LossScale loss_scale{};              ///< of fp16
  std::vector<std::int64_t> skipped_batches;  ///< of the sampler's order: each of them cost a rollback
};

}  // namespace barlow::train
