// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "barlow/backend/backend.hpp"
#include "barlow/comm/collectives.hpp"

namespace barlow::train {

/// Has a device do the same work in every step at little cost to the host. Work that is asked for twice in a row under
/// one key is recorded the second time (the first has made the plans and tables that recording may not), and replayed
/// from then on until the key changes. Where device or collectives cannot, the work is simply done.
class Replay {
 public:
  /// Everything that the work depends on apart from the contents of the device's memory.
  struct Key {
    const void* input = nullptr;  ///< address
    Shape shape;                  ///< of the input
    double loss_scale = 1;
    bool operator==(const Key&) const = default;
  };
  /// Asks the device for its operations; returns where it has put their result. May be called twice in a step, if its
  /// recording fails midway; leaves the host alone, or in the same state each time.
  using Work = std::function<const void*()>;

  /// @param wanted  false: nothing is ever recorded. Backend and collectives outlive this.
  Replay(Backend& backend, Collectives& collectives, bool wanted);

  /// Collective. A recording that fails on any rank is given up on all, with a warning, and so are all later ones.
  void run(const Key& key, const Work& work);
  /// Drops key and recording: this time the work is done without run().
  void forget();
  bool is_recorded() const { return recording_ != nullptr; }

 private:
  void record(const Work& work);
  bool succeeded_everywhere(bool here);

  Backend& backend_;
  Collectives& collectives_;
  bool possible_;
  Buffer vote_;  ///< f64 [1] on the device
  std::optional<Key> key_;
  const void* result_ = nullptr;
  std::unique_ptr<Recording> recording_;
};

}  // namespace barlow::train
