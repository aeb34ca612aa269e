// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <vector>

#include "barlow/backend/make_backend.hpp"

namespace barlow::testing {

/// The device that the operations are tested on: BARLOW_TEST_DEVICE, else the processor.
inline std::string device_under_test() {
  const char* device = std::getenv("BARLOW_TEST_DEVICE");
  return device == nullptr ? "cpu" : device;
}

/// Made on first use, on a processor with two threads: partitions and their ordered sums are exercised.
inline Backend& backend_under_test() {
  static const std::unique_ptr<Backend> backend = make_backend({.device = device_under_test(), .num_threads = 2});
  return *backend;
}

/// The types of activations that the device computes in.
inline std::vector<DType> types_under_test() {
  std::vector<DType> types;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    if (backend_under_test().supports(dtype)) types.push_back(dtype);
  }
  return types;
}

}  // namespace barlow::testing
