// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "barlow/train/checkpoint.hpp"
#include "barlow/train/config.hpp"
#include "barlow/train/trainer.hpp"

namespace barlow::train {

struct RestoreRequest {
  const PretrainConfig& config;
  std::string data_fingerprint;
  const CheckpointFolder& checkpoints;
};

/// Brings the last checkpoint's tensors to every rank, or those that a run begins with. Rank 0 reads; the others
/// receive. Collective.
/// @return  the checkpoint's state, on ranks other than 0 its step and skipped batches only; nothing without a
/// checkpoint
/// @throws AgreedError if the checkpoint is of another run, or none is whole.
std::optional<RunState> restore(const RestoreRequest& request, const Runtime& runtime, nn::ParameterStore& store);

}  // namespace barlow::train
