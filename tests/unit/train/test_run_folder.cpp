// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
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
