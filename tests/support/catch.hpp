// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

// The common subset of Catch2 2 (Debian 12, Ubuntu 22.04) and 3 (newer systems). contains(): the text has `part` in it.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
inline auto contains(const std::string& part) { return Catch::Matchers::ContainsSubstring(part); }
#else
#include <catch2/catch.hpp>
inline auto contains(const std::string& part) { return Catch::Matchers::Contains(part); }
#endif
