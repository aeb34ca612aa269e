// SPDX-License-Identifier: Apache-2.0
#include "barlow/optim/lars.hpp"

#include <cmath>

#include "barlow/optim/gather_shards.hpp"

namespace barlow::optim {

Lars::Lars(nn::ParameterStore& store, Backend& backend, Collectives& collectives, LarsOptions options)
    : store_(store),
      backend_(backend),
      collectives_(collectives),
      options_(options),
      segments_(store.layout().segments()) {
  const auto count = static_cast<std::int64_t>(segments_.size());
  memory_ = backend.allocate(static_cast<std::size_t>(2 * count) * sizeof(double));
  norms_ = TensorView(memory_.data(), DType::kF64, {count, 2});
  host_norms_.resize(static_cast<std::size_t>(2 * count));
}

std::optional<std::string> Lars::measure(double loss_scale) {
  loss_scale_ = static_cast<float>(loss_scale);
  gradient_norm_ = std::numeric_limits<double>::quiet_NaN();
  backend_.segment_norms(segments_, {.weight_decay = options_.weight_decay, .loss_scale = loss_scale_}, store_.values(),
                         store_.gradients(), norms_);
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (store_.layout().parameters()[i].is_sharded())
      collectives_.all_reduce_sum(norms_.slice(static_cast<std::int64_t>(i), 1));
  }
  backend_.copy_to_host(norms_, TensorView(host_norms_.data(), DType::kF64, norms_.shape));
  double sum = 0;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (!std::isfinite(host_norms_[2 * i]) || !std::isfinite(host_norms_[2 * i + 1])) {
      return store_.layout().parameters()[i].name;
    }
    sum += host_norms_[2 * i + 1];
  }
  gradient_norm_ = std::sqrt(sum);
  return std::nullopt;
}

void Lars::step(Schedule::Rates rates) {
  const LarsStep step{.rate_weights = static_cast<float>(rates.weights),
                      .rate_biases = static_cast<float>(rates.biases),
                      .weight_decay = options_.weight_decay,
                      .momentum = options_.momentum,
                      .eta = options_.eta,
                      .clip = options_.clip,
                      .loss_scale = loss_scale_};
  backend_.lars_update(segments_, step, norms_, store_.values(), store_.gradients(), store_.momentum(),
                       store_.compute_copy());
  gather_shards(store_.layout(), store_.compute_copy() ? store_.compute_copy() : store_.values(), collectives_);
}

}  // namespace barlow::optim
