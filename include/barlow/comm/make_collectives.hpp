// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "barlow/backend/backend.hpp"
#include "barlow/comm/agreement.hpp"
#include "barlow/comm/collectives.hpp"
#include "barlow/comm/mpi_session.hpp"

namespace barlow {

struct CollectivesOptions {
  /// "nccl": from GPU to GPU. "mpi": through MPI, on a GPU staged through host memory. "auto": NCCL on GPUs, but MPI
  /// where ranks share one; MPI on CPUs.
  std::string kind = "auto";
  bool share_device = false;   ///< several ranks may use one GPU
  bool deterministic = false;  ///< equal bits from equal runs between GPUs too, at some cost in speed
  /// Asked for the exit code of a rank when NCCL has lost another one between two calls.
  std::function<int()> exit_code_without_rank = [] { return kExitFailed; };
};

/// Collectives among the ranks of `session` for tensors of `backend`, which both outlive them; one rank exchanges
/// nothing. Collective. @throws AgreedError when ranks share a GPU unasked, or when the kind is not available.
std::unique_ptr<Collectives> make_collectives(const MpiSession& session, Backend& backend,
                                              const CollectivesOptions& options);

/// The same for tensors in host memory.
std::unique_ptr<Collectives> make_collectives(const MpiSession& session);

/// For one rank alone, in host memory: sums are already sums.
std::unique_ptr<Collectives> make_self_collectives();

/// Of `world_size` ranks, exchanging nothing: for measuring the memory of a step.
std::unique_ptr<Collectives> make_measuring_collectives(int world_size);

/// `NCCL 2.28.9` and a line end, or empty.
std::string collectives_library_versions();

}  // namespace barlow
