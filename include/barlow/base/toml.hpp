// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace barlow {

/// One `key = value` of a TOML file.
struct TomlEntry {
  std::string key;
  std::variant<bool, std::int64_t, double, std::string> value;
  std::string place;  ///< FILE:LINE, for messages
};

/// The entries of a TOML document without tables, in any order; `file` is its name in messages.
/// @throws ConfigError naming file and line of what is no TOML, or a table, an array or a date.
std::vector<TomlEntry> read_toml(const std::string& text, const std::string& file);

/// A TOML basic string. Bytes that are no UTF-8 are the caller's to refuse: TOML has no way to write them.
std::string to_toml_string(const std::string& text);

}  // namespace barlow
