// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/measuring_backend.hpp"
#include "barlow/nn/parameters.hpp"

namespace barlow::fuzz {

/// A model of a few tensors of every kind, on a device that keeps nothing: what checkpoints and weights are read into.
struct SmallModel {
  MeasuringBackend backend{DType::kF32};
  nn::ParameterStore store{layout(), backend, DType::kF32, true};

  static nn::ParameterLayout layout() {
    nn::ParameterLayout layout;
    layout.add("backbone.conv1.weight", nn::ParameterKind::kConvolution, {2, 3, 3, 1});
    layout.add("backbone.bn1.weight", nn::ParameterKind::kNormScale, {2});
    layout.add("backbone.bn1.running_mean", nn::ParameterKind::kRunningMean, {2});
    layout.add("projector.0.weight", nn::ParameterKind::kLinear, {3, 2});
    return layout;
  }
};

}  // namespace barlow::fuzz
