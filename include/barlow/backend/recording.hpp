// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace barlow {

/// A device's work, recorded once, that can be started again as a whole: the same operations on the same addresses,
/// whatever the memory there holds. Made by Backend::record(); ends before the backend and the collectives whose
/// exchanges it holds.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Starts the work, in order with the device's other operations. Asynchronous. @throws DeviceError
  virtual void replay() = 0;
};

}  // namespace barlow
