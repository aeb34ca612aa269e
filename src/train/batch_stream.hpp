// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "barlow/data/dataset.hpp"
#include "barlow/data/loader.hpp"
#include "barlow/train/batch_order.hpp"
#include "barlow/train/batch_upload.hpp"
#include "barlow/train/config.hpp"
#include "barlow/train/training_step.hpp"
#include "run_plan.hpp"

namespace barlow::train {

/// This rank's batches, one for each step of the run, from the loader to the device.
class BatchStream {
 public:
  /// All three outlive the stream.
  BatchStream(const PretrainConfig& config, const data::Dataset& dataset, const RunPlan& plan);

  /// Goes on with the batch that follows `steps_done` steps, without those that the run skips.
  void start(std::int64_t steps_done, const std::vector<std::int64_t>& skipped, const MpiSession& session);
  /// Waits for the next batch. @throws DataError naming an image that cannot be read.
  data::HostBatch next();
  /// Starts this batch's copy to the device, unless it came ahead, and that of the following one, if the loader has it.
  void begin_uploads(const data::HostBatch& batch, BatchUpload& uploads);
  void recycle(data::HostBatch&& batch) { loader_->recycle(std::move(batch)); }

  StepInput input_of(const data::HostBatch& batch) const;
  /// How long next() has waited since start().
  double wait_seconds() const { return loader_->wait_seconds(); }

 private:
  const PretrainConfig& config_;
  const data::Dataset& dataset_;
  const RunPlan& plan_;
  BatchOrder order_{{}};
  std::optional<data::Loader> loader_;
  std::optional<data::HostBatch> ahead_;  ///< the following batch, on its way to the device
};

}  // namespace barlow::train
