// SPDX-License-Identifier: Apache-2.0
#include "barlow/comm/make_collectives.hpp"

#include "mpi_collectives.hpp"
#include "self_collectives.hpp"

namespace barlow {

std::unique_ptr<Collectives> make_collectives(const MpiSession& session) {
  if (session.world_size() == 1) return make_self_collectives();
  return std::make_unique<MpiCollectives>(session);
}

std::unique_ptr<Collectives> make_self_collectives() { return std::make_unique<SelfCollectives>(1); }

std::unique_ptr<Collectives> make_measuring_collectives(int world_size) {
  return std::make_unique<SelfCollectives>(world_size);
}

}  // namespace barlow
