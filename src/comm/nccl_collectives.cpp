// SPDX-License-Identifier: Apache-2.0
#include "nccl_collectives.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/comm/agreement.hpp"
#include "barlow/comm/watchdog.hpp"
#include "make_nccl_collectives.hpp"

namespace barlow {
namespace {

ncclDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return ncclFloat32;
    case DType::kF64:
      return ncclFloat64;
    default:
      throw ShapeError(std::string("ranks sum fp32 or fp64, not ") + name_of(dtype));
  }
}

/// One id for all ranks, made by rank 0. Ids are bytes, MPI's text is bytes too.
ncclUniqueId share_id(const MpiSession& session) {
  ncclUniqueId id{};
  if (session.is_root()) check(ncclGetUniqueId(&id));
  const std::string bytes = session.broadcast(std::string(id.internal, sizeof id.internal));
  std::memcpy(id.internal, bytes.data(), sizeof id.internal);
  return id;
}

/// NCCL reads its environment when it is first used. A user's own settings win.
void configure(bool deterministic) {
  constexpr int kUnlessSet = 0;
  // Registering buffers while a step is recorded makes ranks wait for each other there; one that cannot record would
  // keep the others waiting.
  ::setenv("NCCL_GRAPH_REGISTER", "0", kUnlessSet);
  // Two communicators may deadlock where a device starts their kernels in different orders (NCCL's manual, "Using
  // multiple NCCL communicators concurrently"): it shall keep the order of the calls, the same on every rank.
  ::setenv("NCCL_LAUNCH_ORDER_IMPLICIT", "1", kUnlessSet);
  // Sums made by NVSwitch, which NCCL prefers where it can, come in any order (NVIDIA/nccl#1497).
  if (deterministic) ::setenv("NCCL_ALGO", "Ring", kUnlessSet);
}

ncclComm_t connect(const MpiSession& session) {
  const ncclUniqueId id = share_id(session);
  ncclComm_t communicator = nullptr;
  check(ncclCommInitRank(&communicator, session.world_size(), id, session.rank()));
  return communicator;
}

}  // namespace

void check(ncclResult_t status, std::source_location where) {
  if (status == ncclSuccess) return;
  throw CommError(std::string("NCCL: ") + ncclGetErrorString(status) + "; " + ncclGetLastError(nullptr), where);
}

NcclCollectives::NcclCollectives(const MpiSession& session, cuda::CudaBackend& backend,
                                 std::function<int()> exit_code_without_rank)
    : session_(session),
      backend_(backend),
      exit_code_without_rank_(std::move(exit_code_without_rank)),
      exceptions_at_start_(std::uncaught_exceptions()),
      in_order_(connect(session)),
      beside_(connect(session)),
      reduction_stream_(cuda::make_stream()),
      computed_(cuda::make_event()),
      reduced_(cuda::make_event()),
      watchdog_([this] { watch(); }) {}

NcclCollectives::~NcclCollectives() {
  closing_ = true;
  watchdog_.join();
  // While an error of this rank unwinds, the others do not close their side: waiting for them would hide the error.
  const bool in_trouble = std::uncaught_exceptions() > exceptions_at_start_;
  if (!in_trouble) cudaDeviceSynchronize();
  for (ncclComm_t communicator : {beside_, in_order_})
    in_trouble ? ncclCommAbort(communicator) : ncclCommDestroy(communicator);
}

void NcclCollectives::all_reduce_sum(TensorView values) {
  latest_ = "sum over ranks";
  check(ncclAllReduce(values.data, values.data, static_cast<std::size_t>(values.num_elements()), type_of(values.dtype),
                      ncclSum, in_order_, backend_.stream()));
}

void NcclCollectives::all_gather(ConstTensorView local, TensorView gathered) {
  if (gathered.size_bytes() != local.size_bytes() * static_cast<std::size_t>(world_size())) {
    throw ShapeError("all_gather: " + local.shape.to_string() + " of each rank do not fill " +
                     gathered.shape.to_string());
  }
  latest_ = "gather";
  check(ncclAllGather(local.data, gathered.data, local.size_bytes(), ncclUint8, in_order_, backend_.stream()));
}

void NcclCollectives::broadcast(TensorView values) {
  latest_ = "broadcast";
  check(ncclBroadcast(values.data, values.data, values.size_bytes(), ncclUint8, 0, in_order_, backend_.stream()));
}

void NcclCollectives::begin_all_reduce_sum(TensorView values) {
  latest_ = "sum of gradients";
  cuda::check(cudaEventRecord(computed_.get(), backend_.stream()));
  cuda::check(cudaStreamWaitEvent(reduction_stream_.get(), computed_.get(), 0));
  check(ncclAllReduce(values.data, values.data, static_cast<std::size_t>(values.num_elements()), type_of(values.dtype),
                      ncclSum, beside_, reduction_stream_.get()));
}

void NcclCollectives::finish() {
  cuda::check(cudaEventRecord(reduced_.get(), reduction_stream_.get()));
  cuda::check(cudaStreamWaitEvent(backend_.stream(), reduced_.get(), 0));
}

/// NCCL tells of a lost rank or network between calls only, while the program waits for its stream: somebody has to
/// ask.
void NcclCollectives::watch() {
  using namespace std::chrono_literals;
  while (!closing_) {
    for (ncclComm_t communicator : {in_order_, beside_}) {
      ncclResult_t status = ncclSuccess;
      if (ncclCommGetAsyncError(communicator, &status) != ncclSuccess || status == ncclSuccess) continue;
      end_process(name_of_rank(session_) + " NCCL: " + ncclGetErrorString(status) + "; " +
                      ncclGetLastError(communicator) + "; the exchange that was begun last: " + latest_.load(),
                  exit_code_without_rank_);
    }
    std::this_thread::sleep_for(200ms);
  }
}

std::unique_ptr<Collectives> make_nccl_collectives(const MpiSession& session, Backend& backend,
                                                   const CollectivesOptions& options) {
  configure(options.deterministic);
  return std::make_unique<NcclCollectives>(session, dynamic_cast<cuda::CudaBackend&>(backend),
                                           options.exit_code_without_rank);
}

std::string nccl_version() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) return "";
  return "NCCL " + std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100) + "\n";
}

}  // namespace barlow
