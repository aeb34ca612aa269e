// SPDX-License-Identifier: Apache-2.0
#include "barlow/comm/watchdog.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "barlow/base/clock.hpp"

namespace barlow {
namespace {

constexpr double kLongestTurn_s = 1;
// For the other ranks' lines: the launcher kills them as soon as one process has ended.
constexpr auto kGrace = std::chrono::seconds(2);
constexpr unsigned kLastWordsLimit_s = 10;

struct Process {
  int rank;
  long id;
};

/// Which process numbers mean the same: those of one host and, in containers, of one namespace.
std::string process_space(const std::string& host) {
  std::array<char, 64> space{};
  if (::readlink("/proc/self/ns/pid", space.data(), space.size() - 1) < 0) space[0] = '\0';
  return host + " " + space.data();
}

/// What keeps a process from running, as the kernel says; null if nothing does.
const char* trouble_of(long process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return "has died";
  const std::size_t name_end = text.rfind(')');
  const char state = name_end != std::string::npos && name_end + 2 < text.size() ? text[name_end + 2] : '?';
  if (state == 'T' || state == 't') return "is stopped by a signal or a debugger";
  if (state == 'D') return "waits for a disk or a device";
  return state == 'Z' || state == 'X' ? "has died" : nullptr;
}

std::string describe(const std::vector<Process>& processes) {
  std::string text;
  for (const Process& process : processes) {
    if (const char* trouble = trouble_of(process.id)) {
      text += (text.empty() ? "; " : ", ") + std::string("rank ") + std::to_string(process.rank) +
              " on this host (process " + std::to_string(process.id) + ") " + trouble;
    }
  }
  return text.empty()
             ? "; the other ranks on this host are not stopped, so look for a rank that names another operation, "
               "or for a host that says nothing"
             : text;
}

}  // namespace

Watchdog::Watchdog(double timeout_s, OnHang on_hang) : on_hang_(std::move(on_hang)) {
  if (timeout_s > 0) thread_ = std::jthread([this, timeout_s] { watch(timeout_s); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void Watchdog::watch(double timeout_s) {
  const double turn_s = std::min(kLongestTurn_s, timeout_s / 8);
  double silent_s = 0;
  std::uint64_t seen = count_.load(std::memory_order_acquire);
  Stopwatch turn;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, std::chrono::duration<double>(turn_s), [this] { return stopping_; })) {
    const double elapsed_s = std::min(turn.restart(), 2 * turn_s);  // more: this process was stopped, too
    const std::uint64_t count = count_.load(std::memory_order_acquire);
    silent_s = count == seen ? silent_s + elapsed_s : 0;
    seen = count;
    if (silent_s < timeout_s) continue;
    lock.unlock();
    on_hang_(operation_.load(std::memory_order_relaxed), silent_s);
    return;
  }
}

Watchdog::OnHang end_job_on_hang(const MpiSession& session, std::function<int()> exit_code) {
  const auto spaces = session.gather(process_space(session.host()));
  const auto ids = session.gather(std::to_string(::getpid()));
  std::vector<Process> others;
  for (int rank = 0; rank < session.world_size(); ++rank) {
    const auto i = static_cast<std::size_t>(rank);
    if (rank != session.rank() && spaces[i] == spaces[static_cast<std::size_t>(session.rank())])
      others.push_back({rank, std::strtol(ids[i].c_str(), nullptr, 10)});
  }
  return
      [who = name_of_rank(session), others, exit_code = std::move(exit_code)](const char* operation, double silent_s) {
        std::ostringstream text;
        text << who << " no progress for " << static_cast<long>(silent_s) << " s in " << operation << describe(others)
             << ". This ends the job; --hang-timeout says after how long";
        end_process(text.str(), exit_code);
      };
}

void end_process(const std::string& text, const std::function<int()>& exit_code) {
  std::signal(SIGALRM, SIG_DFL);  // standard error, or a file system, may be what the program hangs in
  ::alarm(kLastWordsLimit_s);
  const std::string line = "error: " + text + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  std::this_thread::sleep_for(kGrace);
  std::_Exit(exit_code());
}

}  // namespace barlow
