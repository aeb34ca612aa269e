// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/collectives.hpp"
#include "barlow/comm/watchdog.hpp"

namespace barlow {

/// What a rank does that waits for a step's end: where exchanges are the device's own, one of them may be what hangs.
inline const char* step_operation(const Collectives& collectives) {
  const bool on_device = collectives.world_size() > 1 && collectives.can_be_recorded();
  return on_device ? "computing a step and its exchanges on the device (NCCL)" : "computing a step";
}

/// Tells a watchdog of every exchange of tensors before it begins, so that it can name the one that does not end.
class WatchedCollectives final : public Collectives {
 public:
  /// @param inner, watchdog  outlive this
  WatchedCollectives(Collectives& inner, Watchdog& watchdog) : inner_(inner), watchdog_(watchdog) {}

  int rank() const override { return inner_.rank(); }
  int world_size() const override { return inner_.world_size(); }
  bool can_be_recorded() const override { return inner_.can_be_recorded(); }
  void all_reduce_sum(TensorView values) override {
    watched("a sum over ranks (all_reduce_sum: statistics of a norm, or the loss)",
            [&] { inner_.all_reduce_sum(values); });
  }
  void all_gather(ConstTensorView local, TensorView gathered) override {
    watched("gathering over ranks (all_gather: embeddings, or what a sharded weight needs)",
            [&] { inner_.all_gather(local, gathered); });
  }
  void broadcast(TensorView values) override {
    watched("receiving the run's state from rank 0 (broadcast)", [&] { inner_.broadcast(values); });
  }
  void begin_all_reduce_sum(TensorView values) override {
    watched("beginning a sum of gradients over ranks", [&] { inner_.begin_all_reduce_sum(values); });
  }
  void progress() override { inner_.progress(); }
  void finish() override {
    watched("the sum of gradients over ranks (finish)", [&] { inner_.finish(); });
  }

 private:
  template <class F>
  void watched(const char* operation, F&& f) {
    watchdog_.enter(operation);
    f();
    watchdog_.enter(step_operation(inner_));
  }

  Collectives& inner_;
  Watchdog& watchdog_;
};

}  // namespace barlow
