// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "barlow/nn/parameters.hpp"

namespace barlow::train {

/// One tensor of a store in the layout of files, on the host. Waits for the device.
std::vector<float> tensor_to_host(Backend& backend, const nn::Parameter& parameter, ConstTensorView device);
/// The other way round; waits until `values` is no longer needed.
void tensor_to_device(Backend& backend, const nn::Parameter& parameter, const std::vector<float>& values,
                      TensorView device);

/// The name under which PyTorch counts batches beside a running mean; empty for any other tensor.
std::string batch_counter_of(const nn::Parameter& tensor);

/// Training makes them anew; a frozen network is nothing without them.
enum class RunningStatistics { kOptional, kRequired };

/// Takes the weights that a safetensors file has: all of the backbone, all of the projector, or both. Names of the
/// backbone may lack the prefix `backbone.`; names that the model does not have (such as `fc.weight`) are ignored.
/// @throws DataError naming file and tensor when a shape differs, a part is there only in part, or required
/// statistics are missing.
void load_initial_weights(const std::filesystem::path& file, nn::ParameterStore& store, Backend& backend,
                          RunningStatistics statistics = RunningStatistics::kOptional);

/// Writes the backbone under torchvision's names, num_batches_tracked included. @throws StorageError.
void export_backbone(const std::filesystem::path& file, const nn::ParameterStore& store, Backend& backend);

}  // namespace barlow::train
