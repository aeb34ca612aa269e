// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/open_dataset.hpp"

#include <fmt/format.h>

namespace barlow::train {

data::Dataset open_dataset(const std::string& flag, const std::string& path, const MpiSession& session) {
  auto set = collectively(session, [&] { return data::Dataset::open(path); });
  constexpr std::size_t kEnoughDigits = 16;
  require_same(
      session,
      {{fmt::format("the set of {} \"{}\"", flag, path),
        fmt::format("{} images with fingerprint {}", set.size(), set.fingerprint().substr(0, kEnoughDigits))}});
  return set;
}

}  // namespace barlow::train
