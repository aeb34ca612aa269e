// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "barlow/base/error.hpp"
#include "barlow/train/metrics.hpp"
#include "support/catch.hpp"

using namespace barlow::train;

TEST_CASE("a resumed run neither repeats nor loses lines") {
  const auto path = std::filesystem::temp_directory_path() / ("barlow-metrics-" + std::to_string(getpid()) + ".jsonl");
  {
    MetricsFile file(path, 0);
    for (int step = 1; step <= 5; ++step) file.record({.step = step, .loss = 10.0 * step});
  }
  std::ofstream(path, std::ios::app) << "{\"step\": 6, \"lo";  // killed while it wrote
  {
    MetricsFile file(path, 3);
    file.record({.step = 4, .loss = 44});
  }
  std::ifstream input(path);
  std::vector<std::int64_t> steps;
  double last_loss = 0;
  for (std::string line; std::getline(input, line);) {
    const auto object = nlohmann::json::parse(line);
    steps.push_back(object["step"]);
    last_loss = object["loss"];
  }
  CHECK(steps == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(last_loss == 44);
  std::filesystem::remove(path);
}

TEST_CASE("a line that cannot be read takes none of the others with it") {
  const auto path = std::filesystem::temp_directory_path() / ("barlow-metrics-" + std::to_string(getpid()) + ".jsonl");
  std::ofstream(path) << "{\"step\": 1}\n{\"step\"\n[2]\n{\"step\": \"x\"}\n{\"step\": 3}\n{\"step\": 4}\n";
  { const MetricsFile file(path, 3); }
  std::ifstream input(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(input, line);) lines.push_back(line);
  CHECK(lines == std::vector<std::string>{"{\"step\": 1}", "{\"step\": 3}"});
  std::filesystem::remove(path);
}

TEST_CASE("lines that cannot be read are not given up") {
  const auto path = std::filesystem::temp_directory_path() / ("barlow-metrics-" + std::to_string(getpid()) + ".jsonl");
  std::filesystem::create_symlink("/proc/self/mem", path);  // whose first bytes are an I/O error
  CHECK_THROWS_AS(MetricsFile(path, 3), barlow::StorageError);
  CHECK(std::filesystem::is_symlink(path));
  std::filesystem::remove(path);
}

TEST_CASE("lines wait while the file cannot be written, and none is lost or cut") {
  const auto path = std::filesystem::temp_directory_path() / ("barlow-metrics-" + std::to_string(getpid()) + ".jsonl");
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  {
    MetricsFile file(path, 0);
    file.record({.step = 1});
    rlimit full = before;
    full.rlim_cur = std::filesystem::file_size(path) + 100;  // room for a part of the next line
    setrlimit(RLIMIT_FSIZE, &full);
    file.record({.step = 2});
    file.record({.step = 3});
    const bool refused = [&] {
      try {
        file.finish();
        return false;
      } catch (const barlow::StorageError&) {
        return true;
      }
    }();
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK(refused);
    file.record({.step = 4});
    CHECK_NOTHROW(file.finish());
  }
  std::signal(SIGXFSZ, handler);
  std::ifstream input(path);
  std::vector<std::int64_t> steps;
  for (std::string line; std::getline(input, line);) steps.push_back(nlohmann::json::parse(line)["step"]);
  CHECK(steps == std::vector<std::int64_t>{1, 2, 3, 4});
  std::filesystem::remove(path);
}

TEST_CASE("a line that is no metrics ends what is kept, and no number is too large") {
  const auto path = std::filesystem::temp_directory_path() / ("barlow-metrics-" + std::to_string(getpid()) + ".jsonl");
  for (const char* line :
       {R"({"step":"one"})", R"({"step":[]})", R"({"step":1e300,"total_steps":-1e300,"seconds_left":1e300})"}) {
    std::ofstream(path, std::ios::trunc) << R"({"step":1})"
                                         << "\n"
                                         << line << "\n";
    const auto last = last_metrics(path);
    REQUIRE(last);
    CHECK_FALSE(to_line(*last).empty());
    CHECK_NOTHROW(MetricsFile(path, 5));
    CHECK(std::filesystem::file_size(path) == 11);
  }
  std::filesystem::remove(path);
}

TEST_CASE("durations for people") {
  CHECK(to_duration(12.4) == "12 s");
  CHECK(to_duration(250) == "4 min 10 s");
  CHECK(to_duration(7500) == "2 h 05 min");
  CHECK(to_duration(273600) == "3 d 04 h");
}
