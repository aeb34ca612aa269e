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

/// The entries of a flat TOML document, one to a line: `key = value` with "text" or 'text', a number, true or false,
/// and # comments; `file` is its name in messages. (Debian and Ubuntu have no reader of TOML in common that withstands
/// fuzzing, and this is all of TOML that flags need.)
/// @throws ConfigError naming file and line of anything else: a table, an array, a date, text over several lines.
std::vector<TomlEntry> read_toml(const std::string& text, const std::string& file);

/// A TOML basic string. Bytes that are no UTF-8 are the caller's to refuse: TOML has no way to write them.
std::string to_toml_string(const std::string& text);

}  // namespace barlow
