// SPDX-License-Identifier: Apache-2.0
// A configuration: one byte, even for the JSON that a checkpoint carries and odd for the TOML that a user gives, then
// the text.
#include "barlow/train/config.hpp"
#include "support.hpp"

using namespace barlow;
using namespace barlow::fuzz;

namespace {

void check(train::PretrainConfig config) {
  train::resolve(config);
  const std::string json = train::to_json(config);
  require(train::to_json(train::from_json(json)) == json, "a configuration comes back from its JSON");
  require(train::to_json(train::from_toml(train::to_toml(config), "again")) == json, "and from its TOML");
}

void read_json(const std::string& text) {
  read_or_refuse([&] { train::contradictions(text, {}); });
  read_or_refuse([&] { check(train::from_json(text)); });
}

void read_toml(const std::string& text) {
  read_or_refuse([&] { check(train::from_toml(text, "run.toml")); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(data + 1, data + size);
  data[0] % 2 == 0 ? read_json(text) : read_toml(text);
  return 0;
}
