// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace barlow {

/// What a job is about, as one rank sees it: `--seed` is `7`. See require_same().
struct Fact {
  std::string name, value;
};

}  // namespace barlow
