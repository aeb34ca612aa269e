// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace barlow::train {

/// Turns SIGTERM, SIGINT and SIGUSR1 into a flag of the process for as long as it lives, which is from the first line
/// of main() on. The handler does nothing else; ranks agree on the flag between steps. A second SIGINT ends the program
/// at once.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The signal's number, or 0. Signals belong to the process, and so does the answer.
  static int received();
};

}  // namespace barlow::train
