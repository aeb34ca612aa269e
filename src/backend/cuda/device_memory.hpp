// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "barlow/tensor/buffer.hpp"
#include "check.hpp"

namespace barlow::cuda {

/// Uninitialised memory of the current device. @throws DeviceError saying how much was wanted and how much is free.
Buffer allocate_device(std::size_t size_bytes);
/// Page-locked host memory.
Buffer allocate_pinned(std::size_t size_bytes);

}  // namespace barlow::cuda
