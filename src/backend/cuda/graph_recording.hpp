// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "barlow/backend/recording.hpp"
#include "handles.hpp"

namespace barlow::cuda {

/// What a stream, and those that fork from it and join it again, were asked to do, as one CUDA graph.
class GraphRecording final : public Recording {
 public:
  /// Captures what `work` does. It may not wait for the device, nor allocate.
  /// @throws DeviceError if the driver refuses; what `work` throws
  GraphRecording(cudaStream_t stream, const std::function<void()>& work);
  void replay() override;

 private:
  cudaStream_t stream_;
  GraphExec graph_;
};

}  // namespace barlow::cuda
