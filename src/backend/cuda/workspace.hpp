// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace barlow::cuda {

/// Scratch memory for the plans of cuDNN and cuBLAS: taken when the backend is made, so that what is left for a step is
/// known before it. What plans want grows with the batch, as activations do, which is why it is a share of the device.
///
/// It must hold the images: in 2-byte types cuDNN widens their 3 channels to 8 there before a GPU's matrix units can
/// take them, 0.8 MB per view of 224x224, and ResNet-50's conv outputs and norm outputs take 44 MB. A plan that finds
/// no room gives way to one without matrix units: many times slower.
constexpr std::size_t workspace_bytes(std::size_t device_bytes) { return device_bytes / 50; }

}  // namespace barlow::cuda
