// SPDX-License-Identifier: Apache-2.0
#include "batch_stream.hpp"

#include <utility>

namespace barlow::train {

BatchStream::BatchStream(const PretrainConfig& config, const data::Dataset& dataset, const RunPlan& plan)
    : config_(config), dataset_(dataset), plan_(plan) {}

void BatchStream::start(std::int64_t steps_done, const std::vector<std::int64_t>& skipped, const MpiSession& session) {
  ahead_.reset();
  order_ = BatchOrder(skipped);
  const std::int64_t first = order_.batch_of(steps_done);
  loader_.emplace(dataset_, plan_.sampler, plan_.augmentation, plan_.loader,
                  data::Loader::Plan{.seed = static_cast<std::uint64_t>(config_.seed),
                                     .rank = session.rank(),
                                     .world_size = session.world_size(),
                                     .first_step = first,
                                     .num_steps = order_.batch_of(plan_.total_steps - 1) + 1 - first});
}

data::HostBatch BatchStream::next() {
  data::HostBatch batch;
  do {
    batch = ahead_ ? std::move(*std::exchange(ahead_, std::nullopt)) : loader_->next();
  } while (order_.skips(batch.step));
  return batch;
}

void BatchStream::begin_uploads(const data::HostBatch& batch, BatchUpload& uploads) {
  uploads.begin(input_of(batch));
  ahead_ = loader_->try_next();
  if (ahead_ && !order_.skips(ahead_->step)) uploads.begin(input_of(*ahead_));
}

StepInput BatchStream::input_of(const data::HostBatch& batch) const {
  const auto size = static_cast<std::int64_t>(config_.image_size);
  const Shape views{2, static_cast<std::int64_t>(batch.sample_ids.size()), size, size, 3};
  const Shape pixels{static_cast<std::int64_t>(batch.images.size())};
  return {ConstTensorView(batch.images.data(), DType::kU8, batch.plans.empty() ? views : pixels), batch.sample_ids,
          batch.plans};
}

}  // namespace barlow::train
