// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "barlow/backend/make_backend.hpp"
#include "barlow/nn/parameters.hpp"
#include "barlow/train/run_state.hpp"

namespace barlow::testing {

/// A folder that goes with the test.
struct TemporaryFolder {
  explicit TemporaryFolder(const std::string& name)
      : path(std::filesystem::temp_directory_path() / (name + "-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

inline nn::ParameterLayout small_layout() {
  nn::ParameterLayout layout;
  layout.add("backbone.conv1.weight", nn::ParameterKind::kConvolution, {4, 3, 3, 3});
  layout.add("backbone.bn1.weight", nn::ParameterKind::kNormScale, {4});
  layout.add("backbone.bn1.running_mean", nn::ParameterKind::kRunningMean, {4});
  layout.add("projector.0.weight", nn::ParameterKind::kLinear, {8, 4});
  return layout;
}

/// A model of three parameters and a buffer, with every tensor that a checkpoint holds.
struct SmallRun {
  std::unique_ptr<Backend> backend = make_backend({.device = "cpu", .num_threads = 1});
  nn::ParameterStore store{small_layout(), *backend, DType::kF32, true};

  /// Values that are a function of `number`.
  train::RunState set(int number) {
    float next = static_cast<float>(number) * 1000;
    for (const TensorView tensor : {store.values(), store.momentum(), store.buffers()}) {
      for (std::int64_t i = 0; i < tensor.num_elements(); ++i) tensor.as<float>()[i] = 0;  // gaps of the layout
    }
    const auto count = [&](const TensorView& tensor) {
      for (std::int64_t i = 0; i < tensor.num_elements(); ++i) tensor.as<float>()[i] = next++;
    };
    for (const nn::Parameter& parameter : store.layout().parameters()) {
      count(store.values().slice(parameter.offset, parameter.shape.num_elements()));
      count(store.momentum().slice(parameter.offset, parameter.shape.num_elements()));
    }
    for (const nn::Parameter& buffer : store.layout().buffers())
      count(store.buffers().slice(buffer.offset, buffer.shape.num_elements()));
    store.num_batches_tracked = 2 * number;
    return {.step = number,
            .restarts = number % 3,
            .rank_seconds = 1.5 * number,
            .configuration = "{\"seed\":7}",
            .data_fingerprint = "abc",
            .skipped_batches = {number + 4, 2}};
  }

  /// Everything, for comparisons.
  std::vector<float> values() const {
    std::vector<float> all;
    for (const TensorView tensor : {store.values(), store.momentum(), store.buffers()})
      all.insert(all.end(), tensor.as<float>(), tensor.as<float>() + tensor.num_elements());
    all.push_back(static_cast<float>(store.num_batches_tracked));
    return all;
  }
};

}  // namespace barlow::testing
