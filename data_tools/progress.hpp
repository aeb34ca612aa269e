// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "barlow/base/clock.hpp"

namespace barlow::data_tools {

/// How far this rank's share is: one live line with the time that is left on a terminal, a plain line every half minute
/// in a log.
class Progress {
 public:
  Progress(std::string what, std::int64_t total) : what_(std::move(what)), total_(total) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap: most calls only count.
  void advance(std::int64_t bytes);

 private:
  std::string what_;
  std::int64_t total_, done_ = 0, bytes_ = 0;
  Stopwatch since_start_, since_line_;
};

}  // namespace barlow::data_tools
