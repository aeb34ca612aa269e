// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/run_folder.hpp"
#include "small_run.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;
using barlow::testing::TemporaryFolder;

namespace {

int failure_of_flock = 0;

}  // namespace

/// Stands before the library's, to fail as file systems do.
extern "C" int flock(int file, int operation) noexcept {
  if (failure_of_flock == 0) return static_cast<int>(syscall(SYS_flock, file, operation));
  errno = failure_of_flock;
  return -1;
}

TEST_CASE("a run folder has one job at a time") {
  const TemporaryFolder folder("barlow-run");
  CHECK_FALSE(RunLock::holder(folder.path).has_value());
  {
    const RunLock lock(folder.path);
    const auto holder = RunLock::holder(folder.path);
    REQUIRE(holder.has_value());
    CHECK(holder->find("process " + std::to_string(getpid())) != std::string::npos);
    CHECK_THROWS_AS(RunLock(folder.path), ConfigError);
  }
  CHECK_FALSE(RunLock::holder(folder.path).has_value());
  CHECK_NOTHROW(RunLock(folder.path));

  // Who looks holds the lock for a moment; a start waits for that.
  const int look = open((folder.path / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(flock(look, LOCK_SH | LOCK_NB) == 0);
  std::jthread end([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    close(look);
  });
  CHECK_NOTHROW(RunLock(folder.path));
}

TEST_CASE("where files cannot be locked a run goes on all the same") {
  const TemporaryFolder folder("barlow-run");
  log::configure(log::Level::kNormal, false);
  for (const int code : {ENOSYS, EOPNOTSUPP, ENOLCK}) {
    failure_of_flock = code;
    CHECK_NOTHROW(RunLock(folder.path));
    CHECK_FALSE(RunLock::holder(folder.path).has_value());
  }
  failure_of_flock = EIO;
  CHECK_THROWS_AS(RunLock(folder.path), StorageError);
  failure_of_flock = 0;
  log::configure(log::Level::kNormal, true);
}

TEST_CASE("a run that begins anew keeps what an earlier one has left") {
  const TemporaryFolder folder("barlow-run");
  log::configure(log::Level::kNormal, false);
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.path / name) << text;
  };
  const auto read = [&](const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(folder.path / name).rdbuf();
    return text.str();
  };
  write("metrics.jsonl", "");  // of a start that ended before its first step
  begin_run_folder(folder.path, "seed = 1\n");
  CHECK(read("config.toml") == "seed = 1\n");
  CHECK_FALSE(std::filesystem::exists(folder.path / "earlier-1"));

  write("metrics.jsonl", "{\"step\": 8, \"total_steps\": 8}\n");
  write("backbone.safetensors", "weights");
  write("evaluation-knn.json", "{}");
  write("job.log", "mine");
  CHECK(is_finished(folder.path));
  begin_run_folder(folder.path, "seed = 2\n");
  CHECK_FALSE(is_finished(folder.path));
  CHECK(is_finished(folder.path / "earlier-1"));
  CHECK(read("config.toml") == "seed = 2\n");
  CHECK(read("earlier-1/config.toml") == "seed = 1\n");
  CHECK(read("earlier-1/metrics.jsonl").starts_with("{\"step\": 8"));
  CHECK(read("earlier-1/backbone.safetensors") == "weights");
  CHECK(read("earlier-1/evaluation-knn.json") == "{}");
  CHECK(read("job.log") == "mine");

  write("metrics.jsonl", "{\"step\": 2, \"total_steps\": 8}\n");
  begin_run_folder(folder.path, "seed = 3\n");
  CHECK(read("earlier-2/metrics.jsonl").starts_with("{\"step\": 2"));
  CHECK(read("earlier-1/backbone.safetensors") == "weights");
  log::configure(log::Level::kNormal, true);
}

TEST_CASE("weights alone do not make a run finished") {
  const TemporaryFolder folder("barlow-run");
  std::ofstream(folder.path / "backbone.safetensors") << "weights";
  CHECK(is_finished(folder.path));  // of a folder that holds nothing else to go by
  std::ofstream(folder.path / "metrics.jsonl") << "{\"step\": 2, \"total_steps\": 10}\n";
  CHECK_FALSE(is_finished(folder.path));
  std::ofstream(folder.path / "metrics.jsonl") << "{\"step\": 2}\n";  // of a version that did not write it
  CHECK(is_finished(folder.path));
}
