// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

namespace barlow::log {
namespace {

struct Sink {
  std::shared_ptr<spdlog::logger> logger;
  bool terminal = isatty(STDERR_FILENO) != 0;
  bool speaks = true;
  std::size_t status_rows = 0;
  std::mutex mutex;

  Sink() : logger(std::make_shared<spdlog::logger>("barlow", std::make_shared<spdlog::sinks::stderr_sink_st>())) {
    logger->set_pattern(terminal ? "%v" : "%Y-%m-%d %H:%M:%S %v");
    logger->flush_on(spdlog::level::debug);
  }
};

Sink& sink() {
  static Sink instance;
  return instance;
}

/// How many rows a text takes of a terminal that wraps it.
std::size_t rows_of(std::string_view text) {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 1;
  return 1 + (text.size() - 1) / size.ws_col;
}

void clear_status(Sink& out) {
  if (out.status_rows > 0) std::fputs("\r\033[K", stderr);
  for (; out.status_rows > 1; --out.status_rows) std::fputs("\033[A\033[K", stderr);
  out.status_rows = 0;
}

void write(spdlog::level::level_enum level, std::string_view prefix, std::string_view message) {
  Sink& out = sink();
  const std::lock_guard lock(out.mutex);
  if (!out.logger->should_log(level)) return;
  clear_status(out);
  out.logger->log(level, std::string(prefix).append(message));
}

}  // namespace

void configure(Level level, bool speaks) {
  Sink& out = sink();
  const std::lock_guard lock(out.mutex);
  out.speaks = speaks && level != Level::kQuiet;
  out.logger->set_level(!speaks                    ? spdlog::level::err
                        : level == Level::kQuiet   ? spdlog::level::warn
                        : level == Level::kVerbose ? spdlog::level::debug
                                                   : spdlog::level::info);
}

void debug(std::string_view message) { write(spdlog::level::debug, "", message); }
void info(std::string_view message) { write(spdlog::level::info, "", message); }
void warning(std::string_view message) { write(spdlog::level::warn, "warning: ", message); }
void lone_warning(std::string_view message) { write(spdlog::level::err, "warning: ", message); }
void error(std::string_view message) { write(spdlog::level::err, "error: ", message); }

void status_line(std::string_view text) {
  Sink& out = sink();
  const std::lock_guard lock(out.mutex);
  if (!out.terminal || !out.speaks) return;
  clear_status(out);
  if (text.empty()) return;
  std::fprintf(stderr, "\r%.*s", static_cast<int>(text.size()), text.data());
  std::fflush(stderr);
  out.status_rows = rows_of(text);
}

bool is_terminal() { return sink().terminal && sink().speaks; }

}  // namespace barlow::log
