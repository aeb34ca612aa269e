// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "barlow/backend/backend.hpp"
#include "barlow/comm/collectives.hpp"
#include "barlow/comm/mpi_session.hpp"
#include "barlow/comm/watchdog.hpp"
#include "barlow/train/config.hpp"

namespace barlow::train {

/// What exists once and everything runs on; built in main().
struct Runtime {
  MpiSession& session;
  Backend& backend;
  Collectives& collectives;
};

enum class Outcome {
  kFinished,  ///< all steps are done and the weights are exported
  kStopped,   ///< stopped on request; the checkpoint goes on from here
};

/// Pre-trains as the configuration says, from the run folder's checkpoint if there is one.
///
/// Collective. @param config  resolved. @param watchdog  hears of every operation
/// @throws AgreedError on every rank alike for what the user can mend (data, folder, contradiction with the checkpoint)
/// and for a loss that is not finite; other errors on one rank only, which must then abort the others.
Outcome pretrain(const PretrainConfig& config, const Runtime& runtime, Watchdog& watchdog);

}  // namespace barlow::train
