// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/data/augmentation.hpp"
#include "barlow/data/dataset.hpp"
#include "barlow/data/loader.hpp"
#include "barlow/data/sampler.hpp"
#include "barlow/optim/schedule.hpp"
#include "barlow/train/config.hpp"
#include "barlow/train/trainer.hpp"
#include "barlow/train/training_step.hpp"

namespace barlow::train {

/// The configuration as the modules below take it, checked against the data and the ranks.
struct RunPlan {
  /// @throws ConfigError, DataError.
  RunPlan(const PretrainConfig& config, const data::Dataset& dataset, const Runtime& runtime);

  StepOptions step;
  std::int64_t steps_per_epoch, total_steps;
  data::Sampler sampler;
  data::AugmentationOptions augmentation;
  data::LoaderOptions loader;
  optim::Schedule schedule;

  /// The epoch whose end a kept checkpoint marks, if that is where the run is; else 0.
  std::int64_t milestone_at(std::int64_t steps_done, std::int64_t keep_every) const {
    const std::int64_t epoch = steps_done / steps_per_epoch;
    return keep_every > 0 && steps_done % steps_per_epoch == 0 && epoch % keep_every == 0 ? epoch : 0;
  }
  double epoch_of(std::int64_t steps_done) const {
    return static_cast<double>(steps_done) / static_cast<double>(steps_per_epoch);
  }
};

}  // namespace barlow::train
