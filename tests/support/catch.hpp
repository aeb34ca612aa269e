// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

// The common subset of Catch2 2 (Debian 12, Ubuntu 22.04) and 3 (newer systems).
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

/// A matcher of texts that have `part` in them.
inline auto contains(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}
