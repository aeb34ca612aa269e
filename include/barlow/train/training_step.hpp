// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>

#include "barlow/optim/gradient_reducer.hpp"
#include "barlow/optim/lars.hpp"
#include "barlow/optim/loss_scale.hpp"
#include "barlow/pixels/view_plan.hpp"
#include "barlow/ssl/barlow_twins.hpp"
#include "barlow/train/batch_upload.hpp"
#include "barlow/train/model.hpp"
#include "barlow/train/profiler.hpp"
#include "barlow/train/replay.hpp"
#include "barlow/train/trace.hpp"

namespace barlow::train {

/// What a step depends on beside the model.
struct StepOptions {
  DType dtype;
  std::int64_t local_batch;
  optim::LarsOptions lars;
  ssl::BarlowTwinsOptions loss;
  bool record = true;           ///< replay steps where device and collectives can (Replay)
  std::size_t image_bytes = 0;  ///< room per image where the device makes the views; 0: they come from the host

  /// Of the views of this rank's part of a batch.
  std::size_t views_bytes(std::int64_t image_size) const {
    return static_cast<std::size_t>(local_batch * 2 * image_size * image_size * 3);
  }
  /// Of the same as it comes from the host: its views, or the pixels that the device makes them of.
  std::size_t batch_bytes(std::int64_t image_size) const {
    return std::max(views_bytes(image_size), static_cast<std::size_t>(local_batch) * image_bytes);
  }
};

/// The training step: model, parameters, activations and optimiser of one rank. Everything is allocated in the
/// constructor, so that the first step is the last that can lack memory.
class TrainingStep {
 public:
  struct Memory {
    std::size_t parameters_bytes, activations_bytes, input_bytes;

    std::size_t total_bytes() const { return parameters_bytes + activations_bytes + input_bytes; }
  };
  /// What one step needs, found by running it on a backend that only measures.
  static Memory measure(const PretrainConfig& config, const StepOptions& options, int world_size);

  TrainingStep(const PretrainConfig& config, const StepOptions& options, Backend& backend, Collectives& collectives);
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;

  struct Result {
    double on_diagonal, off_diagonal;
    /// Set when the loss, or the norm of a gradient or of a tensor of weights, is not finite as this rank sees it: its
    /// name.
    std::optional<std::string> non_finite;
    /// fp16 only: gradients overflowed, the loss scale was halved, and the weights stay as they were.
    bool skipped = false;
  };
  /// Loss and gradients of this rank's part of the batch; waits for the device. Collective. @param trace, profiler  may
  /// be null
  Result compute(const StepInput& batch, Trace* trace, Profiler* profiler = nullptr);
  /// Moves the weights along the gradients that compute() left, unless the step is to be skipped.
  void update(const Result& result, optim::Schedule::Rates rates);
  /// compute() and update(), where the ranks need not agree in between.
  Result run(const StepInput& batch, optim::Schedule::Rates rates, Trace* trace) {
    Result result = compute(batch, trace);
    if (!result.non_finite) update(result, rates);
    return result;
  }

  /// The store, with sharded values and momentum brought to every rank, for whoever reads them. Collective.
  const nn::ParameterStore& gather_state();
  /// The same for gradients.
  const nn::ParameterStore& gather_gradients();

  /// Where the trainer begins with a batch ahead of time; compute() finishes it.
  BatchUpload& uploads() { return uploads_; }
  nn::ParameterStore& store() { return store_; }
  std::int64_t embedding_width() const { return model_.embedding_width(); }
  /// True if the latest step was replayed.
  bool is_replayed() const { return replay_.is_recorded(); }
  double gradient_norm() const { return lars_.gradient_norm(); }
  /// Part of the run's state, like the tensors.
  optim::LossScale& loss_scale() { return loss_scale_; }
  /// f32 [2b,D] on the host: the normalised embeddings of the latest step.
  std::vector<float> normalized_embeddings();

 private:
  TrainingStep(const PretrainConfig& config, const StepOptions& options, Backend& backend, Collectives& collectives,
               Buffer memory);
  void receive(const StepInput& batch);
  void forward_and_backward(const StepInput& batch, Trace* trace, PhaseScope& phase);

  StepOptions options_;
  std::int64_t image_size_;
  Backend& backend_;
  Collectives& collectives_;
  nn::ParameterLayout layout_;
  Model model_;
  nn::ParameterStore store_;
  Arena arena_;
  BatchUpload uploads_;
  optim::GradientReducer reducer_;
  optim::Lars lars_;
  optim::LossScale loss_scale_;
  /// The first in the arena, kept from step to step: its address does not change while its shape does not.
  Activation images_;
  Activation normalized_, loss_terms_;  ///< results of the latest step
  Replay replay_;                       // after what its recording works on
};

}  // namespace barlow::train
