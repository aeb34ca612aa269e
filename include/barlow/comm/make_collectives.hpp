// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "barlow/comm/collectives.hpp"
#include "barlow/comm/mpi_session.hpp"

namespace barlow {

/// Collectives among the ranks of `session` for tensors in host memory, through MPI; none at all for one rank.
/// The session outlives them.
std::unique_ptr<Collectives> make_collectives(const MpiSession& session);

/// For one rank alone: sums are already sums.
std::unique_ptr<Collectives> make_self_collectives();

/// Of `world_size` ranks, exchanging nothing: for measuring the memory of a step.
std::unique_ptr<Collectives> make_measuring_collectives(int world_size);

}  // namespace barlow
