// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/nn/parameters.hpp"
#include "barlow/train/run_state.hpp"

namespace barlow::train {

/// A run at one moment, in host memory: what a checkpoint is written from while training goes on. Its memory is
/// allocated once and used again by every take().
class StateCopy {
 public:
  /// @param store  outlives every take(), not the copy. @param backend  outlives the copy.
  /// @throws DeviceError when there is not enough memory.
  StateCopy(const nn::ParameterStore& store, Backend& backend);

  /// Waits for the device and copies: parameters, momentum, running statistics.
  void take(const RunState& run);

  const RunState& run() const { return run_; }
  std::int64_t num_batches_tracked() const { return num_batches_tracked_; }
  const nn::ParameterLayout& layout() const { return layout_; }
  /// Flat f32, laid out as in the store.
  TensorView values() const { return values_; }
  TensorView momentum() const { return momentum_; }
  TensorView buffers() const { return buffers_; }

 private:
  const nn::ParameterStore& store_;
  nn::ParameterLayout layout_;  // its own: an error may end the store while the copy is being written
  Backend& backend_;
  Buffer memory_;
  TensorView values_, momentum_, buffers_;
  RunState run_;
  std::int64_t num_batches_tracked_ = 0;
};

}  // namespace barlow::train
