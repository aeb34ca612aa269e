// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/toml.hpp"

#include <fmt/format.h>

#include "barlow/base/error.hpp"

// Headers only, and in this file only, for the sake of compile time.
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace barlow {
namespace {

std::string place_of(const std::string& file, const toml::source_region& source) {
  return fmt::format("{}:{}", file, source.begin.line);
}

const char* name_of(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table; keys stand without one";
    case toml::node_type::array:
      return "an array";
    default:
      return "a date or a time";
  }
}

}  // namespace

std::vector<TomlEntry> read_toml(const std::string& text, const std::string& file) {
  toml::table table;
  try {
    table = toml::parse(std::string_view(text), std::string_view(file));
  } catch (const toml::parse_error& error) {
    throw ConfigError(fmt::format("{}: {}; a line is key = value, and text stands in quotes",
                                  place_of(file, error.source()), error.description()));
  }
  std::vector<TomlEntry> entries;
  for (const auto& [name, node] : table) {
    TomlEntry entry{std::string(name.str()), {}, place_of(file, name.source())};
    if (const auto* flag = node.as_boolean()) {
      entry.value = flag->get();
    } else if (const auto* integer = node.as_integer()) {
      entry.value = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      entry.value = number->get();
    } else if (const auto* string = node.as_string()) {
      entry.value = string->get();
    } else {
      throw ConfigError(fmt::format("{}: {} expects one value, got {}", entry.place, entry.key, name_of(node.type())));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string to_toml_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\u{:04x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace barlow
