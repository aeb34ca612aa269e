// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <filesystem>

#include "barlow/base/error.hpp"
#include "barlow/train/config.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;

namespace {

PretrainConfig valid() {
  PretrainConfig config;
  config.data = "d.h5";
  config.output = "run";
  return config;
}

std::string message_of(PretrainConfig config) {
  try {
    resolve(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the augmentation preset decides what the user left open") {
  PretrainConfig config = valid();
  config.blur_2 = 0.7;
  resolve(config);
  CHECK(config.blur_1 == 1);
  CHECK(config.blur_2 == 0.7);
  CHECK(config.solarize_2 == 0.2);

  config = valid();
  config.augmentation = "notes";
  resolve(config);
  CHECK(config.blur_1 == 0.5);
  CHECK(config.solarize_2 == 0);
  CHECK(config.crop == "random");
}

TEST_CASE("without augmentation nothing is drawn but what the user switches on") {
  PretrainConfig config = valid();
  config.augmentation = "none";
  config.blur_1 = 0.3;
  resolve(config);
  CHECK(config.crop == "center");
  for (const double probability : {config.flip, config.jitter, config.grey, config.blur_2, config.solarize_1})
    CHECK(probability == 0);
  CHECK(config.blur_1 == 0.3);

  config = valid();
  config.augmentation = "none";
  config.crop = "random";
  resolve(config);
  CHECK(config.crop == "random");
}

TEST_CASE("no number stands for the preset's") {
  for (const double wrong : {-1.0, -0.5, 1.5}) {
    PretrainConfig config = valid();
    config.flip = wrong;
    CHECK_THAT(message_of(config), contains("--flip"));
  }
}

TEST_CASE("refusals name the flag and the value") {
  PretrainConfig config = valid();
  config.stem = "huge";
  CHECK_THAT(message_of(config), contains("--stem") && contains("huge"));
  config = valid();
  config.momentum = 1;
  CHECK_THAT(message_of(config), contains("--momentum 1"));
  config = valid();
  config.batch_size = 4294967298;
  CHECK(message_of(config) == "--batch-size 4294967298: must be from 2 to 16777216");
  config = valid();
  config.reference_world_size = (1 << 20) + 1;
  CHECK(message_of(config) == "--reference-world-size 1048577: must be from 1 to 1048576");
  config = valid();
  config.seed = -1;
  CHECK(message_of(config) == "--seed -1: must be at least 0");
  config = valid();
  config.lambd = std::nan("");
  CHECK_THAT(message_of(config), contains("--lambd nan"));
  config = valid();
  config.projector = "64--64";
  CHECK_THAT(message_of(config), contains("--projector"));
  config = valid();
  config.data.clear();
  CHECK_THAT(message_of(config), contains("--data"));
}

TEST_CASE("projector widths") {
  CHECK(parse_projector("8192-8192-8192") == std::vector<std::int64_t>{8192, 8192, 8192});
  CHECK(parse_projector("64") == std::vector<std::int64_t>{64});
  for (const char* wrong : {"", "-", "64-", "0", "64x64", "99999999999999999999"})
    CHECK_THROWS_AS(parse_projector(wrong), ConfigError);
}

TEST_CASE("text that is no UTF-8 is refused, and shown as far as it can be") {
  for (const bool of_output : {true, false}) {
    train::PretrainConfig config;
    config.data = "data.h5";
    config.output = "run";
    (of_output ? config.output : config.architecture) = "caf\xe9";
    CHECK_THROWS_WITH(train::resolve(config), contains("not UTF-8") && contains("caf"));
    CHECK_FALSE(train::contradictions(R"({"seed":5})", config).empty());
  }
}

TEST_CASE("a configuration file says what the configuration says") {
  PretrainConfig config = valid();
  config.output = "r \xc3\xbc/#1 \"x\"\\ 'y' = [\n\t\r\x01\x7f] \xf0\x9f\x98\x80 $HOME";
  config.data = "\"\"\"";
  config.trace = " \\\"";
  config.learning_rate_weights = 0.1 + 0.2;
  config.weight_decay = 5e-324;
  config.epochs = 1e20;
  config.lambd = 3;
  config.seed = INT64_MAX;
  config.lars_clip = true;
  CHECK(to_json(from_toml(to_toml(config), "f.toml")) == to_json(config));
  CHECK(from_toml("data = \"x\"\nof-another-version = 3\n", "f.toml").seed == 0);
  CHECK_THROWS_WITH(from_toml("seed = 2.5", "f.toml"), contains("f.toml") && contains("seed = 2.5"));
  CHECK_THROWS_WITH(from_toml("seed = 2\nepochs", "f.toml"), contains("f.toml:2"));
}

TEST_CASE("a checkpoint's configuration must agree where the run depends on it") {
  PretrainConfig config = valid();
  const std::string saved = to_json(config);
  config.workers = 7;
  config.data = "moved.h5";
  CHECK(contradictions(saved, config).empty());
  config.batch_size = 256;
  const auto differences = contradictions(saved, config);
  REQUIRE(differences.size() == 1);
  CHECK(differences[0] == "--batch-size: was 2048, is 256");
  CHECK_THROWS_AS(contradictions("not json", config), DataError);
  PretrainConfig begun = valid();
  begun.initial_weights = "weights.safetensors";
  const auto with_weights = [&](const std::string& path) {
    PretrainConfig now = begun;
    now.initial_weights = path;
    return contradictions(to_json(begun), now);
  };
  CHECK(with_weights("./weights.safetensors").empty());  // the same file
  CHECK(with_weights((std::filesystem::current_path() / "weights.safetensors").string()).empty());
  CHECK(with_weights("others.safetensors").size() == 1);
  CHECK(with_weights("").size() == 1);
  CHECK(contradictions("{}", {}).empty());  // what a checkpoint lacks is younger: it was begun with the default
  config.backbone_width = 128;
  CHECK(contradictions(R"({"batch-size":256})", config) ==
        std::vector<std::string>{"--backbone-width: was 64, is 128"});
}

TEST_CASE("ranks share what the run computes and what they do together, not their paths and threads") {
  const auto settings = [](const PretrainConfig& config) {
    std::string text;
    for (const Fact& fact : shared_settings(config)) text += fact.name + "=" + fact.value + "\n";
    return text;
  };
  PretrainConfig config = valid();
  const std::string before = settings(config);
  config.workers = 7, config.threads = 3, config.quiet = true, config.data = "/local/copy.h5";
  CHECK(settings(config) == before);
  config.on_nonfinite = "rollback";
  CHECK_THAT(settings(config), contains("--on-nonfinite=\"rollback\""));
  config.learning_rate_weights = 0.3;
  CHECK_THAT(settings(config), contains("--learning-rate-weights=0.3\n"));
}

TEST_CASE("every preset resolves") {
  for (const std::string& name : preset_names()) {
    PretrainConfig config = preset(name);
    config.data = "d";
    config.output = "o";
    CHECK_NOTHROW(resolve(config));
  }
  CHECK_THROWS_AS(preset("none"), ConfigError);
}

TEST_CASE("a checkpoint's configuration is not believed") {
  for (const char* text : {R"({"seed":1e300})", R"({"seed":2.5})", R"({"seed":18446744073709551615})",
                           R"({"seed":true})", R"({"quiet":1})", R"({"data":5})", R"({"epochs":"1"})", "[1]", "{"})
    CHECK_THROWS_AS(from_json(text), DataError);
  CHECK(from_json(R"({"seed":5,"epochs":2,"unknown":[1]})").seed == 5);
  // Lists in lists in lists: to print or copy them takes a stack of their depth.
  constexpr std::size_t kDepth = 1'000'000;
  const std::string deep = R"({"seed":)" + std::string(kDepth, '[') + std::string(kDepth, ']') + "}";
  CHECK_THROWS_AS(from_json(deep), DataError);
  CHECK_FALSE(contradictions(deep, {}).empty());
}
