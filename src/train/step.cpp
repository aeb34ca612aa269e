// SPDX-License-Identifier: Apache-2.0
#include "step.hpp"

#include <cmath>

#include "barlow/backend/make_backend.hpp"
#include "barlow/comm/make_collectives.hpp"

namespace barlow::train {
namespace {
// ImageNet's, of pixels in 0..1.
constexpr std::array<float, 3> kMean = {0.485F, 0.456F, 0.406F};
constexpr std::array<float, 3> kStd = {0.229F, 0.224F, 0.225F};
}  // namespace

TrainingStep::TrainingStep(const PretrainConfig& config, const RunPlan& plan, Backend& backend,
                           Collectives& collectives)
    : TrainingStep(config, plan, backend, collectives,
                   backend.allocate(measure(config, plan, collectives.world_size()).activations_bytes)) {}

TrainingStep::TrainingStep(const PretrainConfig& config, const RunPlan& plan, Backend& backend,
                           Collectives& collectives, Buffer memory)
    : plan_(plan),
      image_size_(config.image_size),
      backend_(backend),
      collectives_(collectives),
      model_(layout_, config),
      store_(layout_, backend, plan.dtype, true),
      arena_(std::move(memory)),
      reducer_(collectives, store_.gradients()),
      lars_(store_, backend, plan.lars) {}

TrainingStep::Memory TrainingStep::measure(const PretrainConfig& config, const RunPlan& plan, int world_size) {
  const auto backend = make_measuring_backend(plan.dtype);
  const auto collectives = make_measuring_collectives(world_size);
  TrainingStep step(config, plan, *backend, *collectives, Buffer());
  data::HostBatch batch;
  batch.local_batch = static_cast<int>(plan.local_batch);
  batch.images.resize(static_cast<std::size_t>(2 * plan.local_batch * config.image_size * config.image_size * 3));
  step.run(batch, {0, 0}, nullptr);
  return {step.store_.size_bytes(), step.arena_.peak_bytes()};
}

Activation TrainingStep::upload(nn::Pass& pass, const data::HostBatch& batch) {
  const Shape shape{2 * batch.local_batch, image_size_, image_size_, 3};
  const Activation bytes = pass.allocate(DType::kU8, shape);
  backend_.copy_to_device(ConstTensorView(batch.images.data(), DType::kU8, shape), bytes);
  Activation images = pass.allocate(shape);
  backend_.normalize_images(bytes, kMean, kStd, images);
  return images;
}

TrainingStep::Result TrainingStep::run(const data::HostBatch& batch, optim::Schedule::Rates rates, Trace* trace) {
  normalized_ = {};
  nn::Pass pass{
      .backend = backend_, .collectives = collectives_, .arena = arena_, .parameters = store_, .listener = &reducer_};

  const Activation images = upload(pass, batch);
  const Activation features = model_.backbone.forward(pass, images);
  const Activation embeddings = model_.projector.forward(pass, features);
  normalized_ = model_.loss_norm.forward(pass, embeddings, {}, {.output = DType::kF32});
  const ssl::BarlowTwinsLoss loss = ssl::barlow_twins(pass, normalized_, plan_.loss);
  if (trace != nullptr) trace->record_forward(pass, batch.sample_ids, images, embeddings);

  Activation gradient = model_.loss_norm.backward(pass, loss.gradient, {}, false, {.output = DType::kF32});
  gradient = model_.projector.backward(pass, gradient);
  model_.backbone.backward(pass, gradient);
  reducer_.finish();
  if (trace != nullptr) trace->record_gradients(store_, backend_);

  std::array<double, 2> terms{};
  backend_.copy_to_host(loss.terms, TensorView(terms.data(), DType::kF64, {2}));
  Result result{terms[0], terms[1], lars_.measure()};
  if (!std::isfinite(terms[0] + terms[1])) result.non_finite = "the loss";
  if (result.non_finite) return result;
  lars_.step(rates);
  store_.num_batches_tracked += 2;  // a view each
  return result;
}

std::vector<float> TrainingStep::normalized_embeddings() {
  std::vector<float> values(static_cast<std::size_t>(normalized_.shape().num_elements()));
  backend_.copy_to_host(normalized_, TensorView(values.data(), DType::kF32, normalized_.shape()));
  return values;
}

}  // namespace barlow::train
