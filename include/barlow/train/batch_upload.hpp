// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "barlow/backend/backend.hpp"

namespace barlow::train {

/// Brings batches to the device, the next one while a step computes: two places in device memory take turns. The calls
/// of a step: begin(its batch), begin(the next one, if there is one yet), finish(its batch); then the device is waited
/// for before the next step.
class BatchUpload {
 public:
  /// @param capacity_bytes  of the largest batch
  BatchUpload(Backend& backend, std::size_t capacity_bytes);
  ~BatchUpload();
  BatchUpload(const BatchUpload&) = delete;
  BatchUpload& operator=(const BatchUpload&) = delete;

  std::size_t size_bytes() const { return places_[0].memory.size_bytes() + places_[1].memory.size_bytes(); }

  /// Starts the copy, unless it is on its way. Asynchronous. @param host  staging memory, which stays as it is until
  /// finish() and a wait for the device
  void begin(ConstTensorView host);
  /// The same values on the device, for operations that are enqueued from now on until two other batches have begun.
  ConstTensorView finish(ConstTensorView host);
  /// Waits, and forgets batches that have begun: their memory may go.
  void forget();

 private:
  struct Place {
    Buffer memory;
    const void* source = nullptr;  ///< a batch that has begun and not been finished
    int upload = 0;
  };
  Place* place_of(ConstTensorView host);

  Backend& backend_;
  std::array<Place, 2> places_;
  std::size_t next_ = 0;
};

}  // namespace barlow::train
