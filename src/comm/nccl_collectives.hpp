// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nccl.h>

#include <atomic>
#include <functional>
#include <source_location>
#include <string>
#include <thread>

#include "backend/cuda/cuda_backend.hpp"
#include "barlow/comm/collectives.hpp"
#include "barlow/comm/mpi_session.hpp"

namespace barlow {

/// Throws CommError naming NCCL's own message unless `status` is ncclSuccess.
void check(ncclResult_t status, std::source_location where = std::source_location::current());

/// NCCL between GPUs: in order with the backend's stream, but sums of gradients on a stream and a communicator of their
/// own, so that they run beside backward. A thread asks NCCL for errors between calls and ends the job, naming rank,
/// host and operation; an exchange that does not end without an error is the Watchdog's to notice.
class NcclCollectives final : public Collectives {
 public:
  /// `exit_code_without_rank` is asked when NCCL has lost another rank.
  NcclCollectives(const MpiSession& session, cuda::CudaBackend& backend, std::function<int()> exit_code_without_rank);
  ~NcclCollectives() override;

  int rank() const override { return session_.rank(); }
  int world_size() const override { return session_.world_size(); }
  bool can_be_recorded() const override { return true; }
  void all_reduce_sum(TensorView values) override;
  void all_gather(ConstTensorView local, TensorView gathered) override;
  void broadcast(TensorView values) override;
  void begin_all_reduce_sum(TensorView values) override;
  void progress() override {}
  void finish() override;

 private:
  void watch();

  const MpiSession& session_;
  cuda::CudaBackend& backend_;
  std::function<int()> exit_code_without_rank_;
  int exceptions_at_start_;
  ncclComm_t in_order_ = nullptr, beside_ = nullptr;
  cuda::Stream reduction_stream_;
  cuda::Event computed_, reduced_;
  std::atomic<const char*> latest_{"start-up"};  ///< the operation begun last, for the watchdog's message
  std::atomic<bool> closing_{false};
  std::thread watchdog_;
};

}  // namespace barlow
