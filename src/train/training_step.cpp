// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/training_step.hpp"

#include <algorithm>
#include <cmath>

#include "barlow/backend/make_backend.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/optim/gather_shards.hpp"
#include "barlow/train/normalization.hpp"

namespace barlow::train {
namespace {

nn::ParameterLayout sharded(nn::ParameterLayout layout, const StepOptions& options, const Collectives& collectives) {
  const std::int64_t batch_rows = 2 * options.local_batch * collectives.world_size();
  layout.shard_linear_layers(collectives.rank(), collectives.world_size(), batch_rows, options.dtype);
  return layout;
}

}  // namespace

TrainingStep::TrainingStep(const PretrainConfig& config, const StepOptions& options, Backend& backend,
                           Collectives& collectives)
    : TrainingStep(config, options, backend, collectives,
                   backend.allocate(measure(config, options, collectives.world_size()).activations_bytes)) {}

TrainingStep::TrainingStep(const PretrainConfig& config, const StepOptions& options, Backend& backend,
                           Collectives& collectives, Buffer memory)
    : options_(options),
      image_size_(config.image_size),
      backend_(backend),
      collectives_(collectives),
      model_(layout_, config),
      store_(sharded(layout_, options, collectives), backend, options.dtype, true),
      arena_(std::move(memory)),
      uploads_(backend, {.image_size = config.image_size,
                         .batch_bytes = options.batch_bytes(config.image_size),
                         .views_bytes = options.image_bytes > 0 ? options.views_bytes(config.image_size) : 0}),
      reducer_(collectives, store_.layout(), store_.gradients()),
      lars_(store_, backend, collectives, options.lars),
      replay_(backend, collectives, options.record) {
  if (options.dtype == DType::kF16) loss_scale_.value = optim::LossScale::kStart;
}

TrainingStep::Memory TrainingStep::measure(const PretrainConfig& config, const StepOptions& options, int world_size) {
  const auto backend = make_measuring_backend(options.dtype);
  const auto collectives = make_measuring_collectives(world_size);
  TrainingStep step(config, options, *backend, *collectives, Buffer());
  const StepInput nothing{
      ConstTensorView(nullptr, DType::kU8, {2, options.local_batch, config.image_size, config.image_size, 3}), {}};
  step.run(nothing, {0, 0}, nullptr);
  return {step.store_.size_bytes(), step.arena_.peak_bytes(), step.uploads_.size_bytes()};
}

void TrainingStep::receive(const StepInput& batch) {
  const Shape shape{2 * batch.num_images(), image_size_, image_size_, 3};
  if (!(images_.shape() == shape)) {
    replay_.forget();
    images_ = normalized_ = loss_terms_ = {};
    images_ = arena_.allocate(options_.dtype, shape);
  }
  backend_.normalize_images(uploads_.finish(batch).reshaped(shape), kImageMean, kImageStd, images_);
}

/// From images_ to gradients summed over ranks, normalized_ and loss_terms_. All of it is the device's work, on the
/// same addresses in every step: it begins with nothing but images_ in the arena.
void TrainingStep::forward_and_backward(const StepInput& batch, Trace* trace, PhaseScope& phase) {
  normalized_ = loss_terms_ = {};
  reducer_.start();
  nn::Pass pass{
      .backend = backend_, .collectives = collectives_, .arena = arena_, .parameters = store_, .listener = &reducer_};
  ssl::BarlowTwinsOptions scaled_loss = options_.loss;
  scaled_loss.gradient_scale *= static_cast<float>(loss_scale_.value);
  phase.next(Phase::kForward);
  const Activation features = model_.backbone.forward(pass, images_);
  const Activation embeddings = model_.projector.forward(pass, features);
  normalized_ = model_.loss_norm.forward(pass, embeddings, {}, {.output = DType::kF32});
  phase.next(Phase::kLoss);
  const ssl::BarlowTwinsLoss loss = ssl::barlow_twins(pass, normalized_, scaled_loss);
  loss_terms_ = loss.terms;
  if (trace != nullptr) trace->record_forward(pass, batch.sample_ids, images_, embeddings);

  phase.next(Phase::kBackward);
  Activation gradient = model_.loss_norm.backward(pass, loss.gradient, {}, false, {.output = DType::kF32});
  gradient = model_.projector.backward(pass, gradient);
  model_.backbone.backward(pass, gradient);
  reducer_.finish();
}

TrainingStep::Result TrainingStep::compute(const StepInput& batch, Trace* trace, Profiler* profiler) {
  PhaseScope phase(profiler, Phase::kUpload);
  receive(batch);
  // What looks into a step needs it piece by piece.
  if (trace != nullptr || (profiler != nullptr && profiler->is_active())) {
    replay_.forget();
    forward_and_backward(batch, trace, phase);
  } else {
    replay_.run({images_.view().data, images_.shape(), loss_scale_.value}, [&]() -> const void* {
      forward_and_backward(batch, nullptr, phase);
      return loss_terms_.view().data;
    });
  }
  if (trace != nullptr) trace->record_gradients(gather_gradients(), loss_scale_.value, backend_);

  phase.next(Phase::kLars);
  const auto non_finite = lars_.measure(loss_scale_.value);  // first: it waits for the device, so the terms are there
  std::array<double, 2> terms{};
  backend_.copy_to_host(loss_terms_, TensorView(terms.data(), DType::kF64, {2}));
  Result result{terms[0], terms[1], non_finite};
  if (!std::isfinite(terms[0] + terms[1])) {
    result.non_finite = "the loss";
  } else if (options_.dtype == DType::kF16 && loss_scale_.update(result.non_finite.has_value())) {
    result.skipped = result.non_finite.has_value();
    result.non_finite.reset();
  }
  return result;
}

void TrainingStep::update(const Result& result, optim::Schedule::Rates rates) {
  if (!result.skipped) lars_.step(rates);
  store_.num_batches_tracked += 2;  // a view each
}

const nn::ParameterStore& TrainingStep::gather_state() {
  for (const TensorView flat : {store_.values(), store_.momentum()})
    optim::gather_shards(store_.layout(), flat, collectives_);
  return store_;
}

const nn::ParameterStore& TrainingStep::gather_gradients() {
  optim::gather_shards(store_.layout(), store_.gradients(), collectives_);
  return store_;
}

std::vector<float> TrainingStep::normalized_embeddings() {
  std::vector<float> values(static_cast<std::size_t>(normalized_.shape().num_elements()));
  backend_.copy_to_host(normalized_, TensorView(values.data(), DType::kF32, normalized_.shape()));
  return values;
}

}  // namespace barlow::train
