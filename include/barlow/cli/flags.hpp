// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "barlow/comm/fact.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// What CLI11 does not read as we want it: numbers, and TOML.
namespace barlow::cli {

/// The values that a flag may have, both ends included.
template <class T>
struct Range {
  T low = std::numeric_limits<T>::lowest(), high = std::numeric_limits<T>::max();
};

/// A flag with one number (int, int64, uint64, double), read by barlow::parse_number(): CLI11 takes "" for 0, "010" for
/// 8 and 2^63 for 2^63 - 1. Parsing throws ConfigError naming flag, text and range. What `value` is at the time of the
/// call is the default that capture_default_str() shows in --help.
template <class T>
CLI::Option* add_number(CLI::App& command, const std::string& flag, T& value, const std::string& help,
                        Range<T> range = {});

/// A flag with one or more numbers, joined by commas.
CLI::Option* add_numbers(CLI::App& command, const std::string& flag, std::vector<double>& values,
                         const std::string& help, Range<double> range = {});

/// --config FILE: TOML with the command's other flags as keys; what the command line says wins. Parsing throws
/// ConfigError naming file and line.
void add_config_file(CLI::App& command);

/// Every flag of a parsed command except `of_one_rank`, as it was given or else with its default: for require_same().
std::vector<Fact> shared_flags(const CLI::App& command, const std::set<std::string>& of_one_rank);

}  // namespace barlow::cli
