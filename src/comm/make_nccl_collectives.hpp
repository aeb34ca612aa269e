// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "barlow/backend/backend.hpp"
#include "barlow/comm/collectives.hpp"
#include "barlow/comm/mpi_session.hpp"

namespace barlow {

/// nccl_collectives.cpp, or no_nccl.cpp in a build without CUDA. `backend` is a CUDA backend. Collective.
std::unique_ptr<Collectives> make_nccl_collectives(const MpiSession& session, Backend& backend,
                                                   std::function<int()> exit_code_without_rank);
/// `NCCL 2.28.9` and a line end; empty without CUDA.
std::string nccl_version();

}  // namespace barlow
