// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <fmt/format.h>

#include "barlow/base/log.hpp"

namespace barlow::data_tools {
namespace {

constexpr double kTerminalPeriod = 0.2, kLogPeriod = 30;  // seconds

std::string format_duration(double seconds) {
  const auto s = static_cast<long>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace

Progress::~Progress() { log::status_line(""); }

void Progress::advance(std::int64_t bytes) {
  ++done_;
  bytes_ += bytes;
  if (since_line_.elapsed_s() < (log::is_terminal() ? kTerminalPeriod : kLogPeriod)) return;
  since_line_.restart();
  const double elapsed = since_start_.elapsed_s();
  const double rate = static_cast<double>(done_) / elapsed;
  const std::string line = fmt::format("{}: {} of {} images ({:.0f} %), {:.0f} images/s, {:.1f} MB/s, {} left", what_,
                                       done_, total_, 100.0 * static_cast<double>(done_) / static_cast<double>(total_),
                                       rate, static_cast<double>(bytes_) / elapsed * 1e-6,
                                       format_duration(static_cast<double>(total_ - done_) / rate));
  if (log::is_terminal()) {
    log::status_line(line);
  } else {
    log::info(line);
  }
}

}  // namespace barlow::data_tools
