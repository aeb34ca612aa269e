// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/state_copy.hpp"

namespace barlow::train {

StateCopy::StateCopy(const nn::ParameterStore& store, Backend& backend)
    : store_(store), layout_(store.layout()), backend_(backend) {
  const std::int64_t parameters = store.values().num_elements(), momentum = store.momentum().num_elements(),
                     buffers = store.buffers().num_elements();
  memory_ = backend.allocate_staging(static_cast<std::size_t>(parameters + momentum + buffers) * sizeof(float));
  const TensorView all(memory_.data(), DType::kF32, {parameters + momentum + buffers});
  values_ = all.slice(0, parameters);
  momentum_ = all.slice(parameters, momentum);
  buffers_ = all.slice(parameters + momentum, buffers);
}

void StateCopy::take(const RunState& run) {
  backend_.copy_to_host(store_.values(), values_);
  backend_.copy_to_host(store_.momentum(), momentum_);
  backend_.copy_to_host(store_.buffers(), buffers_);
  num_batches_tracked_ = store_.num_batches_tracked;
  run_ = run;
}

}  // namespace barlow::train
