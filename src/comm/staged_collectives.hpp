// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "barlow/backend/backend.hpp"
#include "barlow/comm/collectives.hpp"

namespace barlow {

/// Collectives of a device's tensors through host memory: copied there, exchanged, copied back. Slow, and the same
/// everywhere: for several ranks on one GPU, and to tell a mistake of NCCL from one of ours.
class StagedCollectives final : public Collectives {
 public:
  /// @param host  does the exchange
  StagedCollectives(std::unique_ptr<Collectives> host, Backend& backend) : host_(std::move(host)), backend_(backend) {}

  int rank() const override { return host_->rank(); }
  int world_size() const override { return host_->world_size(); }
  void all_reduce_sum(TensorView values) override;
  void all_gather(ConstTensorView local, TensorView gathered) override;
  void broadcast(TensorView values) override;
  void begin_all_reduce_sum(TensorView values) override;
  void progress() override { host_->progress(); }
  void finish() override;

 private:
  /// Staging memory for `like`, the `number`-th in use.
  TensorView stage(std::size_t number, ConstTensorView like);

  std::unique_ptr<Collectives> host_;
  Backend& backend_;
  std::vector<Buffer> stages_;
  std::vector<TensorView> pending_;  ///< device tensors whose sums were begun, in stages of the same number
};

}  // namespace barlow
