// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
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
  bool has_status = false;
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

void clear_status(Sink& out) {
  if (out.has_status) std::fputs("\r\033[K", stderr);
  out.has_status = false;
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
  out.has_status = true;
}

bool is_terminal() { return sink().terminal && sink().speaks; }

}  // namespace barlow::log
