// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace barlow::train {

/// Turns SIGTERM, SIGINT and SIGUSR1 into a flag for as long as it lives. The handler does nothing else; ranks agree on
/// the flag between steps. A second SIGINT ends the program at once.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The signal's number, or 0.
  int received() const;
};

}  // namespace barlow::train
