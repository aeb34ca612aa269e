// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdint>

#include "barlow/base/error.hpp"
#include "barlow/cli/flags.hpp"
#include "support/catch.hpp"

using namespace barlow;

namespace {

struct Values {
  std::int64_t seed = 3, batch_size = 64;
  double rate = 0.5;
  std::vector<double> rates = {1};
};

/// What a command line, given in reverse as CLI11 wants it, makes of the values.
Values parse(std::vector<std::string> words) {
  Values v;
  CLI::App command("", "program");
  cli::add_number(command, "--seed", v.seed, "")->take_last();
  cli::add_number(command, "--batch-size", v.batch_size, "", {2, 1000})->take_last();
  cli::add_number(command, "--rate", v.rate, "")->take_last();
  cli::add_numbers(command, "--rates", v.rates, "", {0.1, 9});
  command.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  return v;
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
