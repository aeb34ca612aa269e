// SPDX-License-Identifier: Apache-2.0
#include "run_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/cores.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"

namespace barlow::train {
namespace {

std::int64_t share_of(std::int64_t batch_size, int world_size) {
  if (batch_size % world_size != 0) {
    throw ConfigError(fmt::format("--batch-size {} cannot be shared by {} ranks; give a multiple of {}", batch_size,
                                  world_size, world_size));
  }
  return batch_size / world_size;
}

data::Sampler make_sampler(const PretrainConfig& config, const data::Dataset& dataset, int world_size) {
  data::Sampler sampler(dataset.size(), config.batch_size, static_cast<std::uint64_t>(config.seed),
                        config.last_batch == "drop" ? data::LastBatch::kDrop : data::LastBatch::kOfficial);
  if (const std::int64_t last = sampler.last_batch_of_epoch(); last % world_size != 0) {
    throw ConfigError(fmt::format(
        "--last-batch official: the last {} images of an epoch cannot be shared by {} ranks; give --last-batch drop",
        last, world_size));
  }
  return sampler;
}

data::AugmentationOptions make_augmentation(const PretrainConfig& c) {
  auto options = data::AugmentationOptions::reference(static_cast<int>(c.image_size));
  for (int i = 0; i < 2; ++i) {
    auto& view = options.views[i];
    view.crop = c.crop == "random";
    view.crop_scale_min = c.crop_scale_min;
    view.crop_scale_max = c.crop_scale_max;
    view.flip = c.flip;
    view.jitter = c.jitter;
    view.brightness = c.brightness;
    view.contrast = c.contrast;
    view.saturation = c.saturation;
    view.hue = c.hue;
    view.grey = c.grey;
    view.blur = i == 0 ? c.blur_1 : c.blur_2;
    view.blur_sigma_min = c.blur_sigma_min;
    view.blur_sigma_max = c.blur_sigma_max;
    view.solarize = i == 0 ? c.solarize_1 : c.solarize_2;
  }
  return options;
}

StepOptions step_options(const PretrainConfig& c, const Runtime& runtime) {
  return {.dtype = choose_dtype(c.precision, runtime.backend),
          .local_batch = share_of(c.batch_size, runtime.session.world_size()),
          .lars = {.weight_decay = static_cast<float>(c.weight_decay),
                   .momentum = static_cast<float>(c.momentum),
                   .eta = static_cast<float>(c.lars_eta),
                   .clip = c.lars_clip},
          .loss = {.lambda = static_cast<float>(c.lambd),
                   .gradient_scale = 1.0F / static_cast<float>(c.reference_world_size),
                   .form = ssl::parse_loss_form(c.loss_form),
                   .divisor = c.batch_size},
          .record = c.cuda_graph};
}

bool augments_on_device(const PretrainConfig& c, const Backend& backend) {
  return c.augment_on == "device" || (c.augment_on == "auto" && !backend.device_id().empty());
}

int choose_workers(const PretrainConfig& config, const MpiSession& session) {
  if (config.workers > 0) return static_cast<int>(config.workers);
  return std::min(cores_of_rank(session.local_size()), 16);
}

}  // namespace

RunPlan::RunPlan(const PretrainConfig& c, const data::Dataset& dataset, const Runtime& runtime)
    : step(step_options(c, runtime)),
      steps_per_epoch(0),
      total_steps(0),
      sampler(make_sampler(c, dataset, runtime.session.world_size())),
      augmentation(make_augmentation(c)),
      schedule({}, 1, 0, 1) {
  steps_per_epoch = sampler.steps_per_epoch();
  const auto steps_in = [&](double epochs) {
    return static_cast<std::int64_t>(std::llround(epochs * static_cast<double>(steps_per_epoch)));
  };
  total_steps = std::max<std::int64_t>(1, steps_in(c.epochs));
  schedule = optim::Schedule({c.learning_rate_weights, c.learning_rate_biases}, c.batch_size, steps_in(c.warmup_epochs),
                             total_steps);
  loader.allocate = [&backend = runtime.backend](std::size_t bytes) { return backend.allocate_staging(bytes); };
  if (augments_on_device(c, runtime.backend))
    loader.image_bytes = step.image_bytes = data::room_per_image(dataset, static_cast<int>(c.image_size));
  loader.num_workers = choose_workers(c, runtime.session);
  loader.corrupt_policy = c.on_corrupt == "stop" ? data::CorruptPolicy::kStop : data::CorruptPolicy::kReplace;
  const std::string who = runtime.session.world_size() > 1 ? name_of_rank(runtime.session) + " " : "";
  loader.warn = [who](std::string_view message) { log::lone_warning(who + std::string(message)); };
}

}  // namespace barlow::train
