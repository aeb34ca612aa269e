// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "barlow/base/error.hpp"
#include "barlow/cli/flags.hpp"
#include "support/catch.hpp"

using namespace barlow;

namespace {

struct Values {
  std::string output = "here";
  std::int64_t seed = 3, batch_size = 64;
  double rate = 0.5;
  bool clip = false;
  std::vector<double> rates = {1};
};

/// What a command line, given in reverse as CLI11 wants it, makes of the values.
Values parse(std::vector<std::string> words) {
  Values v;
  CLI::App command("", "program");
  cli::add_config_file(command);
  command.add_option("--output", v.output)->take_last();
  command.add_flag("--clip{true},!--no-clip", v.clip);
  cli::add_number(command, "--seed", v.seed, "")->take_last();
  cli::add_number(command, "--batch-size", v.batch_size, "", {2, 1000})->take_last();
  cli::add_number(command, "--rate", v.rate, "")->take_last();
  cli::add_numbers(command, "--rates", v.rates, "", {0.1, 9});
  command.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  return v;
}

/// Gone with the object, also when parsing throws.
struct File {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("barlow-" + std::to_string(getpid()) + "-flags-test.toml");
  explicit File(const std::string& text) { std::ofstream(path) << text; }
  ~File() { std::filesystem::remove(path); }
};

Values parse_file(const std::string& text, std::vector<std::string> words = {}) {
  const File file(text);
  words.insert(words.end(), {"--config", file.path.string()});
  return parse(words);
}

}  // namespace

TEST_CASE("numbers are decimal, whole and in range") {
  CHECK(parse({"--seed", "010"}).seed == 10);
  CHECK(parse({"--seed", "08"}).seed == 8);
  CHECK(parse({"--seed", "-4"}).seed == -4);
  CHECK(parse({"--seed", "9223372036854775807"}).seed == INT64_MAX);
  CHECK(parse({"--seed", "1", "--seed", "2"}).seed == 2);
  CHECK(parse({"--rate", "1e-3"}).rate == 1e-3);
  CHECK(parse({"--rate=0.1"}).rate == 0.1);
  CHECK(parse({"--rates", "0.25,4"}).rates == std::vector<double>{0.25, 4});
  for (const char* wrong : {"", " 5", "5 ", "0x10", "1e3", "2.0", "5,6", "many", "9223372036854775808"}) {
    INFO('"' << wrong << '"');
    CHECK_THROWS_WITH(parse({"--seed", wrong}), contains("--seed: \"") && contains(wrong) && contains("whole number"));
  }
  for (const char* wrong : {"", "nan", "inf", "-inf", "1e400", "0x1p3", "0,5", "1 "})
    CHECK_THROWS_WITH(parse({"--rate", wrong}), contains("--rate: \"") && contains("a finite number"));
  for (const char* wrong : {"1", "1001", "4294967298", ""})
    CHECK_THROWS_WITH(parse({"--batch-size", wrong}), contains("--batch-size: \"") && contains("from 2 to 1000"));
  for (const char* wrong : {"nan", "0.2,10", "0.2,x", ""}) CHECK_THROWS_AS(parse({"--rates", wrong}), ConfigError);
}

TEST_CASE("a file of flags is TOML") {
  const Values v = parse_file(
      "# all kinds\noutput = \"a \\\"b\\\" #2\\n\\u00fc\"  # the end\nseed = 2_048\nrate = 3\nclip = true\nbatch-size "
      "= 7\n",
      {"--batch-size", "9"});
  CHECK(v.output == "a \"b\" #2\n\xc3\xbc");
  CHECK(v.seed == 2048);
  CHECK(v.rate == 3);
  CHECK(v.clip);
  CHECK(v.batch_size == 9);
  CHECK(parse_file("output = '[C:\\x]'").output == "[C:\\x]");
  CHECK(parse_file("clip = true", {"--no-clip"}).clip == false);
  CHECK(parse_file("").seed == 3);
}

TEST_CASE("what is wrong in a file of flags is named with its line and a remedy") {
  const auto refuses = [](const std::string& text, const std::string& naming) {
    INFO(text);
    CHECK_THROWS_WITH(parse_file(text), contains(naming));
  };
  refuses("\nbatch_size = 5", "flags-test.toml:2: unknown key \"batch_size\"; did you mean batch-size?");
  refuses("colour = 5", "flags-test.toml:1: unknown key \"colour\"; program --help lists all");
  refuses("config = 'x'", "unknown key \"config\"");
  refuses("output = [\"a\", \"b\"]", "flags-test.toml:1: output expects one value, got an array");
  refuses("[program]\nseed = 1", "flags-test.toml:1: a table; keys stand without one");
  refuses("rate = 2024-01-01", "flags-test.toml:1: rate is 2024-01-01, which is no number");
  refuses("output = \"\"\"a", "flags-test.toml:1: ");
  refuses("output = \"a\\q\"", "an escape");
  refuses("a.b = 1", "flags-test.toml:1: no key");
  refuses("seed = 1 2", "\"2\" stands behind the value of seed");
  refuses("output = 'a", "a quote that is not closed");
  refuses("seed = 1\nseed = 2", "flags-test.toml:2: ");
  refuses("output = here", "a line is key = value, and text stands in quotes");
  refuses("rate =", "flags-test.toml:1: ");
  refuses("rate = 0.3, 0.4", "flags-test.toml:1: ");
  refuses("seed = 99999999999999999999",
          "flags-test.toml:1: seed is 99999999999999999999, which is no number that fits");
  refuses("rate = -1e999", "flags-test.toml:1: rate is -1e999, which is no number that fits");
  refuses("seed = 08", "flags-test.toml:1: ");
  refuses("seed = 2.5", "flags-test.toml:1: --seed: \"2.5\" is not a whole number");
  refuses("rate = nan", "--rate: \"nan\" is not a finite number");
  refuses("seed = ''", "--seed: \"\" is not a whole number");
  refuses("clip = 1", "clip expects true or false");
  refuses("output = \"caf\xe9\"", "flags-test.toml:1: ");
}
