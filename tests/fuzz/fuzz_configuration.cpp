// SPDX-License-Identifier: Apache-2.0
// A configuration: one byte, even for the JSON that a checkpoint carries and odd for the TOML that a user gives, then
// the text.
#include <CLI/CLI.hpp>
#include <sstream>

#include "barlow/train/config.hpp"
#include "support.hpp"

using namespace barlow;
using namespace barlow::fuzz;

namespace {

void check(train::PretrainConfig config) {
  train::resolve(config);
  const std::string again = train::to_json(train::from_json(train::to_json(config)));
  require(again == train::to_json(config), "a configuration comes back from its JSON");
  train::to_toml(config);
}

void read_json(const std::string& text) {
  read_or_refuse([&] { train::contradictions(text, {}); });
  read_or_refuse([&] { check(train::from_json(text)); });
}

void read_toml(const std::string& text) {
  train::PretrainConfig config;
  CLI::App command;
  command.allow_config_extras(CLI::config_extras_mode::error);
  train::for_each_field(config, [&](const char* flag, auto& value, train::Scope, const char*) {
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(value)>, bool>) {
      command.add_flag("--" + std::string(flag) + "{true}", value);
    } else {
      command.add_option("--" + std::string(flag), value)->take_last();
    }
  });
  std::istringstream stream(text);
  try {
    command.parse_from_stream(stream);
  } catch (const CLI::Error&) {
    return;  // the command line's parser names what is wrong
  }
  read_or_refuse([&] { check(config); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(data + 1, data + size);
  data[0] % 2 == 0 ? read_json(text) : read_toml(text);
  return 0;
}
