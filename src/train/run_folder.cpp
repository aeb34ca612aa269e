// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"

namespace barlow::train {
namespace {

namespace fs = std::filesystem;

std::string this_process() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const char* job = std::getenv("SLURM_JOB_ID");
  return std::string(host.data()) + ", process " + std::to_string(getpid()) +
         (job != nullptr ? std::string(", SLURM job ") + job : "");
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.empty() ? "another job" : line;
}

/// Some file systems lock nothing, Lustre without its mount option `flock` for one.
bool is_without_locks(int code) { return code == ENOSYS || code == EOPNOTSUPP || code == ENOLCK; }

/// Tries for a second: `barlow status` and `barlow stop` hold the lock for a moment when they look.
bool try_lock(int file) {
  for (int attempts = 20; flock(file, LOCK_EX | LOCK_NB) != 0; --attempts) {
    if (errno != EWOULDBLOCK || attempts == 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace

RunLock::RunLock(const fs::path& run) {
  const fs::path path = run / "lock";
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) throw ConfigError("--output: cannot write \"" + path.string() + "\": " + std::strerror(errno));
  if (!try_lock(file_)) {
    const int code = errno;
    if (!is_without_locks(code)) {
      close(file_);
      if (code != EWOULDBLOCK) throw StorageError("cannot lock \"" + path.string() + "\": " + std::strerror(code));
      throw ConfigError("run \"" + run.string() + "\" is in use by " + first_line(path) +
                        "; wait for it, end it with `barlow stop " + run.string() + "`, or give another --output");
    }
    log::warning("cannot lock \"" + path.string() + "\": " + std::strerror(code) +
                 "; a second job in this folder would not be refused, and `barlow status` and `barlow stop` do not see "
                 "this one");
  }
  const std::string content = this_process() + "\n";
  if (ftruncate(file_, 0) != 0 || write(file_, content.data(), content.size()) < 0) {
    const std::string reason = std::strerror(errno);
    close(file_);
    throw StorageError("cannot write \"" + path.string() + "\": " + reason);
  }
}

RunLock::~RunLock() { close(file_); }

std::optional<std::string> RunLock::holder(const fs::path& run) {
  const fs::path path = run / "lock";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const bool held = flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(file);
  if (!held) return std::nullopt;
  return first_line(path);
}

void request_stop(const fs::path& run) {
  std::ofstream file(run / "stop");
  file << this_process() << "\n";
  if (!file.flush()) throw StorageError("cannot write \"" + (run / "stop").string() + "\": " + std::strerror(errno));
}

bool is_stop_requested(const fs::path& run) {
  std::error_code error;
  return fs::exists(run / "stop", error);
}

void clear_stop_request(const fs::path& run) {
  std::error_code error;
  fs::remove(run / "stop", error);
}

}  // namespace barlow::train
