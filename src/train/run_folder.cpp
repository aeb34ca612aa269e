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
#include <string>
#include <thread>
#include <vector>

#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"
#include "barlow/base/files.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/metrics.hpp"

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
bool try_lock(const FileDescriptor& file) {
  for (int attempts = 20; flock(file.get(), LOCK_EX | LOCK_NB) != 0; --attempts) {
    if (errno != EWOULDBLOCK || attempts == 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

/// What a run writes under the same name in every start, and what is made of it.
bool belongs_to_run(const std::string& name) {
  return name == kConfigFile || name == kMetricsFile || name == kWeightsFile || name == kSnapshotFile ||
         name == kReportFile || (name.starts_with("evaluation") && name.ends_with(".json"));
}

/// Moves the files of an earlier run into a folder that is new, whose name is returned; empty if there is no result.
fs::path set_aside_earlier_run(const fs::path& run) {
  std::error_code none;
  const bool has_lines = file_exists(run / kMetricsFile) && fs::file_size(run / kMetricsFile, none) > 0;
  if (!has_lines && !file_exists(run / kWeightsFile)) return {};
  fs::path earlier;
  int number = 1;
  do {
    earlier = run / ("earlier-" + std::to_string(number++));
  } while (!fs::create_directory(earlier));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(run)) names.push_back(entry.path().filename().string());
  for (const std::string& name : names) {
    if (belongs_to_run(name)) fs::rename(run / name, earlier / name);
  }
  return earlier;
}

}  // namespace

void begin_run_folder(const fs::path& run, const std::string& configuration_toml) {
  const auto fail = [&](const std::string& what, const std::string& reason) {
    throw ConfigError("--output \"" + run.string() + "\": cannot " + what + " there: " + reason);
  };
  try {
    if (const fs::path earlier = set_aside_earlier_run(run); !earlier.empty()) {
      log::warning("run \"" + run.string() +
                   "\" has results, but no checkpoint to go on from: it begins anew, and they are kept in \"" +
                   earlier.string() + "\"");
    }
  } catch (const fs::filesystem_error& error) {
    fail("set an earlier run aside", error.code().message());
  }
  errno = 0;
  std::ofstream file(run / kConfigFile);
  file << configuration_toml;
  if (!file.flush()) fail("write config.toml", std::strerror(errno));
}

bool is_finished(const fs::path& run) {
  if (!file_exists(run / kWeightsFile)) return false;
  const auto last = last_metrics(run / kMetricsFile);
  return !last || last->step >= last->total_steps;
}

RunLock::RunLock(const fs::path& run) {
  const fs::path path = run / "lock";
  file_ = FileDescriptor(path, O_RDWR | O_CREAT);
  if (!file_) throw ConfigError("--output: cannot write \"" + path.string() + "\": " + std::strerror(errno));
  if (!try_lock(file_)) {
    const int code = errno;
    if (code == EWOULDBLOCK)
      throw ConfigError("run \"" + run.string() + "\" is in use by " + first_line(path) +
                        "; wait for it, end it with `barlow stop " + run.string() + "`, or give another --output");
    if (!is_without_locks(code)) throw StorageError("cannot lock \"" + path.string() + "\": " + std::strerror(code));
    log::warning("cannot lock \"" + path.string() + "\": " + std::strerror(code) +
                 "; a second job in this folder would not be refused, and `barlow status` and `barlow stop` do not see "
                 "this one");
  }
  const std::string content = this_process() + "\n";
  if (ftruncate(file_.get(), 0) != 0 || write(file_.get(), content.data(), content.size()) < 0)
    throw StorageError("cannot write \"" + path.string() + "\": " + std::strerror(errno));
}

std::optional<std::string> RunLock::holder(const fs::path& run) {
  const fs::path path = run / "lock";
  const FileDescriptor file(path, O_RDONLY);
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) fail_reading(path, errno);
  if (flock(file.get(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return std::nullopt;
  return first_line(path);
}

void request_stop(const fs::path& run) {
  const fs::path path = run / "stop";
  errno = 0;
  if (!std::ofstream(path))
    throw ConfigError("cannot write \"" + path.string() + "\": " + std::strerror(errno) +
                      "; ask whoever may write there to stop the run");
}

bool is_stop_requested(const fs::path& run) {
  std::error_code error;
  return fs::exists(run / "stop", error);
}

void clear_stop_request(const fs::path& run) {
  std::error_code error;
  fs::remove(run / "stop", error);
  if (error)
    throw ConfigError("cannot remove \"" + (run / "stop").string() + "\", a request to stop: " + error.message() +
                      "; remove it, or give another --output");
}

}  // namespace barlow::train
