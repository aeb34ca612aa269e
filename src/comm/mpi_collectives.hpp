// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "barlow/comm/collectives.hpp"
#include "barlow/comm/mpi_session.hpp"

namespace barlow {

/// Collectives of host memory through MPI. Sums that were begun are non-blocking calls, which Open MPI advances only
/// inside other MPI calls: progress() is such a call.
class MpiCollectives final : public Collectives {
 public:
  explicit MpiCollectives(const MpiSession& session) : session_(session) {}
  int rank() const override { return session_.rank(); }
  int world_size() const override { return session_.world_size(); }
  void all_reduce_sum(TensorView values) override;
  void all_gather(ConstTensorView local, TensorView gathered) override;
  void broadcast(TensorView values) override;
  void begin_all_reduce_sum(TensorView values) override;
  void progress() override;
  void finish() override;

 private:
  const MpiSession& session_;
  std::vector<MPI_Request> pending_;
};

}  // namespace barlow
