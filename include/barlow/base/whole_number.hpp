// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace barlow {

/// A count that was read from a file as a double, which may be any number but NaN: cut off at 2^53, up to which a
/// double holds every whole number.
inline std::int64_t to_whole_number(double number) {
  constexpr double kExact = 9007199254740992;
  return static_cast<std::int64_t>(std::clamp(number, -kExact, kExact));
}

}  // namespace barlow
