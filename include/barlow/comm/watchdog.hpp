// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "barlow/comm/mpi_session.hpp"

namespace barlow {

/// Looks, from a thread of its own, whether the main thread still begins one operation after the other. Time in which
/// the whole process is stopped (a suspended job) does not count: it is measured in the watchdog's own turns.
class Watchdog {
 public:
  /// Called from the watchdog's thread, once. @param operation  the last that was begun
  using OnHang = std::function<void(const char* operation, double silent_s)>;

  /// @param timeout_s  seconds without a new operation; 0: never
  Watchdog(double timeout_s, OnHang on_hang);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// The main thread begins an operation. Costs two stores. @param operation  lives as long as the watchdog
  void enter(const char* operation) noexcept {
    operation_.store(operation, std::memory_order_relaxed);
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  void watch(double timeout_s);

  OnHang on_hang_;
  std::atomic<const char*> operation_{"the start"};
  std::atomic<std::uint64_t> count_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::jthread thread_;  // the last member: it uses all others
};

/// Prints `error: TEXT` on standard error, past the log, whose lock may be held by a thread that hangs; gives the other
/// ranks time for their lines, and ends this process with what `exit_code` then says: the launcher ends the others.
/// From any thread.
[[noreturn]] void end_process(const std::string& text, const std::function<int()>& exit_code);

/// Says on standard error `[rank R of W, host] no progress for N s in OPERATION`, which ranks of this host do not run,
/// and ends this process with what `exit_code` then says; the launcher ends the others. Collective.
Watchdog::OnHang end_job_on_hang(const MpiSession& session, std::function<int()> exit_code);

}  // namespace barlow
