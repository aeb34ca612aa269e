// SPDX-License-Identifier: Apache-2.0
#include "start_report.hpp"

#include <fmt/format.h>

#include <map>

#include "barlow/base/log.hpp"

namespace barlow::train {
namespace {

void report_ranks(const Runtime& runtime) {
  const auto hosts = runtime.session.gather(runtime.session.host());
  const auto devices = runtime.session.gather(runtime.backend.description());
  if (!runtime.session.is_root()) return;
  std::map<std::string, int> places;
  for (std::size_t rank = 0; rank < hosts.size(); ++rank) ++places[hosts[rank] + ": " + devices[rank]];
  for (const auto& [place, count] : places) log::info(fmt::format("{:<8} {} x {}", "ranks", count, place));
  for (std::size_t rank = 0; rank < hosts.size(); ++rank)
    log::debug(fmt::format("rank {}: {}, {}", rank, hosts[rank], devices[rank]));
}

}  // namespace

void report_start(const PretrainConfig& config, const RunPlan& plan, const MemoryPlan& memory,
                  const data::Dataset& dataset, const Runtime& runtime) {
  report_ranks(runtime);
  if (!runtime.session.is_root()) return;
  nn::ParameterLayout layout;
  const Model model(layout, config);
  const auto form = ssl::choose_form(plan.step.loss.form, config.batch_size, model.embedding_width());
  const std::string width =
      config.backbone_width == nn::ResNet::kPublishedWidth ? "" : fmt::format(", {} wide", config.backbone_width);
  log::info(fmt::format("{:<8} {} ({} stem{}), projector {}: {:.1f} M parameters, {}", "model", config.architecture,
                        config.stem, width, config.projector, static_cast<double>(layout.num_trained()) * 1e-6,
                        name_of(plan.step.dtype)));
  log::info(fmt::format("{:<8} {}", "memory", describe_device_memory(memory)));
  log::info(fmt::format("{:<8} {}", "", describe_host_memory(memory)));
  log::info(fmt::format("{:<8} {}: {} images, {} loader threads per rank, views made by {}", "data", config.data,
                        dataset.size(), plan.loader.num_workers, plan.loader.image_bytes > 0 ? "the device" : "them"));
  log::info(fmt::format("{:<8} {} steps of {} images ({} per rank), {} per epoch; {} loss, noise floor {:.4g}", "run",
                        plan.total_steps, config.batch_size, plan.step.local_batch, plan.steps_per_epoch,
                        form == ssl::LossForm::kGram ? "Gram" : "direct",
                        ssl::noise_floor(config.lambd, model.embedding_width(), config.batch_size)));
  if (config.warmup_epochs >= config.epochs)
    log::warning(
        fmt::format("--warmup-epochs {} is not shorter than --epochs {}: the learning rate never reaches its peak",
                    config.warmup_epochs, config.epochs));
}

}  // namespace barlow::train
