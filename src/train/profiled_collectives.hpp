// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/collectives.hpp"
#include "barlow/train/profiler.hpp"

namespace barlow::train {

/// Passes every exchange on to other collectives, and tells a profiler the time and the bytes: those that this rank
/// brings to a sum, and those that it receives from a gather. One rank alone exchanges none.
class ProfiledCollectives final : public Collectives {
 public:
  /// Both outlive it.
  ProfiledCollectives(Collectives& collectives, Profiler& profiler) : to_(collectives), profiler_(profiler) {}

  int rank() const override { return to_.rank(); }
  int world_size() const override { return to_.world_size(); }
  bool can_be_recorded() const override { return to_.can_be_recorded(); }
  void all_reduce_sum(TensorView values) override;
  void all_gather(ConstTensorView local, TensorView gathered) override;
  void broadcast(TensorView values) override { to_.broadcast(values); }
  void begin_all_reduce_sum(TensorView values) override;
  void progress() override;
  void finish() override;

 private:
  Phase outer_phase() const;

  std::int64_t bytes_of(std::size_t bytes) const { return world_size() > 1 ? static_cast<std::int64_t>(bytes) : 0; }

  Collectives& to_;
  Profiler& profiler_;
  bool gradients_travel_ = false;
};

}  // namespace barlow::train
