// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/backend/make_backend.hpp"

namespace barlow::testing {

/// Made on first use, with two threads: partitions and their ordered sums are exercised.
inline Backend& backend_under_test() {
  static const std::unique_ptr<Backend> backend = make_backend("cpu", 0, 1, 2);
  return *backend;
}

}  // namespace barlow::testing
