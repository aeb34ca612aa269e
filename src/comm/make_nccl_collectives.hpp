// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "barlow/comm/make_collectives.hpp"

namespace barlow {

/// nccl_collectives.cpp, or no_nccl.cpp in a build without CUDA. `backend` is a CUDA backend. Collective.
std::unique_ptr<Collectives> make_nccl_collectives(const MpiSession& session, Backend& backend,
                                                   const CollectivesOptions& options);
/// `NCCL 2.28.9` and a line end; empty without CUDA.
std::string nccl_version();

}  // namespace barlow
