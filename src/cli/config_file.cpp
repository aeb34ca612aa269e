// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <numeric>

#include "barlow/base/error.hpp"
#include "barlow/base/toml.hpp"
#include "barlow/cli/flags.hpp"

namespace barlow::cli {
namespace {

/// Insertions, removals and replacements of a character that make one text of another.
std::size_t edit_distance(const std::string& from, const std::string& to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (const char letter : from) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (letter == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

/// What the command line would be given.
struct ToText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(const std::string& value) const { return value; }
  template <class Number>
  std::string operator()(Number value) const {
    return fmt::format("{}", value);
  }
};

/// CLI11's own reader knows no escapes and no underscores in numbers, cuts a text at #, takes the last of a list, and
/// names neither file nor line.
class TomlReader : public CLI::Config {
 public:
  explicit TomlReader(CLI::App& command) : command_(command) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return ""; }

  /// Sets the flags itself, so that what is wrong with a value is told with its place, and leaves CLI11 none.
  std::vector<CLI::ConfigItem> from_config(std::istream& stream) const override {
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    for (const TomlEntry& entry : read_toml(text, command_.get_config_ptr()->as<std::string>())) {
      try {
        set(find(entry.key), entry);
      } catch (const ConfigError& error) {
        throw ConfigError(entry.place + ": " + error.what());
      }
    }
    return {};
  }

 private:
  CLI::Option& find(const std::string& key) const {
    std::string nearest, dashed = key;
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    std::size_t least = 3;
    for (CLI::Option* option : command_.get_options()) {
      if (!option->get_configurable()) continue;
      const std::string name = option->get_single_name();
      if (name == key) return *option;
      const std::size_t distance = edit_distance(dashed, name);
      if (distance < least) least = distance, nearest = name;
    }
    throw ConfigError("unknown key \"" + key + "\"; " +
                      (nearest.empty() ? command_.get_name() + " --help lists all" : "did you mean " + nearest + "?"));
  }

  static void set(CLI::Option& option, const TomlEntry& entry) {
    if (!option.empty()) return;  // the command line wins
    const bool is_switch = option.get_expected_min() == 0;
    if (is_switch && !std::holds_alternative<bool>(entry.value))
      throw ConfigError(entry.key + " expects true or false");
    const std::string text = std::visit(ToText(), entry.value);
    option.add_result(is_switch ? option.get_flag_value(entry.key, text) : text);
    option.run_callback();
  }

  CLI::App& command_;
};

}  // namespace

void add_config_file(CLI::App& command) {
  command.set_config("--config", "", "TOML file with any of these flags as keys; the command line wins");
  command.config_formatter(std::make_shared<TomlReader>(command));
}

}  // namespace barlow::cli
