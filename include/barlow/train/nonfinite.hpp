// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "barlow/train/trainer.hpp"
#include "barlow/train/training_step.hpp"

namespace barlow::train {

// What is looked at when a step has produced a NaN or an infinity; nothing of it runs in a step that has not.

struct TensorStatistics {
  std::int64_t count = 0, non_finite = 0;
  double min = 0, max = 0, mean = 0;  ///< of the finite values; 0 if there is none
};
TensorStatistics statistics_of(std::span<const float> values);

/// A step that was not taken: its gradients are in the store, its weights untouched.
struct NonFiniteStep {
  std::int64_t step;   ///< the first has number 1
  std::int64_t batch;  ///< of the sampler's order, from 0
  double epoch;
  TrainingStep::Result result;
  optim::Schedule::Rates rates;
  std::vector<std::int64_t> sample_ids;  ///< of the global batch
  std::string first;                     ///< as first_non_finite() says
};

/// The first of the step's tensors that is not finite, in the order in which the step made them: weights, what goes
/// into each norm (as its running statistics show), the loss, gradients from the last layer to the first. Else what the
/// result names. Empty if all are finite. Waits for the device.
std::string first_non_finite(const TrainingStep::Result& result, const nn::ParameterStore& store, Backend& backend);

/// nonfinite-step-000120.json; after a rollback nonfinite-step-000120-rollback-1.json.
std::string non_finite_name(std::int64_t step, std::int64_t rollbacks);

/// Names the first tensor that is not finite, and has rank 0 write `file`: the step, its samples, and statistics of
/// every parameter, gradient and running statistic. A file that cannot be written costs a warning. Collective.
/// @return  `step 7: the gradient of X is not finite (FILE)`, the same on every rank
std::string investigate(NonFiniteStep step, std::span<const std::int64_t> local_sample_ids, const Runtime& runtime,
                        const nn::ParameterStore& store, const std::filesystem::path& file);

}  // namespace barlow::train
