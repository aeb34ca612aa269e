// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <span>

#include "barlow/backend/backend.hpp"

namespace barlow::train {

/// This rank's part of a batch, on the host.
struct StepInput {
  ConstTensorView images;  ///< views u8 [2,b,S,S,3]; with plans, the pixels u8 [n] that the device makes them of
  std::span<const std::int64_t> sample_ids;
  std::span<const pixels::ViewPlan> plans = {};  ///< [2b] or none; in the memory of the images

  std::int64_t num_images() const {
    return plans.empty() ? images.shape[1] : static_cast<std::int64_t>(plans.size() / 2);
  }
};

/// Brings batches to the device, the next one while a step computes: two places in device memory take turns. The calls
/// of a step: begin(its batch), begin(the next one, if there is one yet), finish(its batch); then the device is waited
/// for before the next step.
class BatchUpload {
 public:
  struct Sizes {
    std::int64_t image_size;
    std::size_t batch_bytes;  ///< of the largest batch as it comes
    std::size_t views_bytes;  ///< of its views, where the device makes them; else 0
  };
  BatchUpload(Backend& backend, const Sizes& sizes);
  ~BatchUpload();
  BatchUpload(const BatchUpload&) = delete;
  BatchUpload& operator=(const BatchUpload&) = delete;

  std::size_t size_bytes() const { return 2 * (places_[0].received.size_bytes() + places_[0].made.size_bytes()); }

  /// Starts to bring it, unless it is on its way. Asynchronous. The batch is in staging memory, which stays as it is
  /// until finish() and a wait for the device.
  void begin(const StepInput& batch);
  /// Its views u8 [2,b,S,S,3] on the device, for operations that are called from now on until two other batches have
  /// begun.
  ConstTensorView finish(const StepInput& batch);
  /// Waits, and forgets batches that have begun: their memory may go.
  void forget();

 private:
  struct Place {
    Buffer received, made;
    std::optional<const void*> source;  ///< of a batch that has begun and not been finished
    ConstTensorView views;
    int mark = 0;
  };
  Place* place_of(const StepInput& batch);

  Backend& backend_;
  std::int64_t image_size_;
  std::array<Place, 2> places_;
  std::size_t next_ = 0;
};

}  // namespace barlow::train
