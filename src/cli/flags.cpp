// SPDX-License-Identifier: Apache-2.0
#include "barlow/cli/flags.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdint>

#include "barlow/base/error.hpp"
#include "barlow/base/number.hpp"

namespace barlow::cli {
namespace {

template <class T>
constexpr bool is_whole = std::is_integral_v<T>;

template <class T>
std::string describe(const Range<T>& range) {
  if (std::is_signed_v<T> && range.low == Range<T>().low)
    return is_whole<T> ? fmt::format("a whole number of {} bits", 8 * sizeof(T)) : "a finite number";
  return fmt::format("a {} from {} to {}", is_whole<T> ? "whole number" : "number", range.low, range.high);
}

template <class T>
T parse(const std::string& flag, const std::string& text, const Range<T>& range) {
  const auto number = parse_number<T>(text);
  if (!number || *number < range.low || *number > range.high)
    throw ConfigError(fmt::format("{}: \"{}\" is not {}", flag, text, describe(range)));
  return *number;
}

template <class T>
std::string type_name(const Range<T>& range) {
  const char* name = is_whole<T> ? "INT" : "FLOAT";
  if (std::is_signed_v<T> && range.low == Range<T>().low) return name;
  return range.high == Range<T>().high ? fmt::format("{} >= {}", name, range.low)
                                       : fmt::format("{} in [{} - {}]", name, range.low, range.high);
}

}  // namespace

template <class T>
CLI::Option* add_number(CLI::App& command, const std::string& flag, T& value, const std::string& help, Range<T> range) {
  return command
      .add_option(
          flag,
          [&value, flag, range](const CLI::results_t& texts) {
            value = parse(flag, texts.at(0), range);
            return true;
          },
          help, false, [&value] { return fmt::format("{}", value); })
      ->type_name(type_name(range));
}

template CLI::Option* add_number(CLI::App&, const std::string&, int&, const std::string&, Range<int>);
template CLI::Option* add_number(CLI::App&, const std::string&, std::int64_t&, const std::string&, Range<std::int64_t>);
template CLI::Option* add_number(CLI::App&, const std::string&, std::uint64_t&, const std::string&,
                                 Range<std::uint64_t>);
template CLI::Option* add_number(CLI::App&, const std::string&, double&, const std::string&, Range<double>);

CLI::Option* add_numbers(CLI::App& command, const std::string& flag, std::vector<double>& values,
                         const std::string& help, Range<double> range) {
  return command
      .add_option(
          flag,
          [&values, flag, range](const CLI::results_t& texts) {
            values.clear();
            for (const std::string& text : texts) values.push_back(parse(flag, text, range));
            return true;
          },
          help, false, [&values] { return fmt::format("{}", fmt::join(values, ",")); })
      ->type_name(type_name(range))
      ->expected(CLI::detail::expected_max_vector_size)
      ->delimiter(',');
}

std::vector<Fact> shared_flags(const CLI::App& command, const std::set<std::string>& of_one_rank) {
  std::vector<Fact> facts;
  for (const CLI::Option* option : command.get_options()) {
    const std::string flag = option->get_name();
    if (of_one_rank.contains(flag)) continue;
    const std::string text =
        option->count() > 0 ? fmt::format("{}", fmt::join(option->results(), ",")) : option->get_default_str();
    facts.push_back({flag, text.empty() ? "not given" : text});
  }
  return facts;
}

}  // namespace barlow::cli
