// SPDX-License-Identifier: Apache-2.0
#include "barlow/comm/make_collectives.hpp"

#include <map>

#include "barlow/comm/agreement.hpp"
#include "make_nccl_collectives.hpp"
#include "mpi_collectives.hpp"
#include "self_collectives.hpp"
#include "staged_collectives.hpp"

namespace barlow {
namespace {

/// Which ranks use which device; refuses two on one.
void check_devices(const MpiSession& session, const Backend& backend) {
  std::map<std::string, int> users;
  const auto devices = session.gather(session.host() + " " + backend.device_id());
  for (int rank = 0; rank < session.world_size(); ++rank) {
    const std::string& device = devices[static_cast<std::size_t>(rank)];
    if (const auto [other, is_first] = users.emplace(device, rank); !is_first) {
      throw AgreedError("ranks " + std::to_string(other->second) + " and " + std::to_string(rank) + " share GPU " +
                            device + ": start one rank per GPU, or add --share-device",
                        kExitRefused);
    }
  }
}

}  // namespace

std::unique_ptr<Collectives> make_collectives(const MpiSession& session, Backend& backend,
                                              const CollectivesOptions& options) {
  if (options.kind != "auto" && options.kind != "nccl" && options.kind != "mpi")
    throw AgreedError("--collectives " + options.kind + ": choose auto, nccl or mpi", kExitRefused);
  const bool on_host = session.max(backend.device_id().empty() ? 1 : 0) != 0;
  const bool on_device = session.max(backend.device_id().empty() ? 0 : 1) != 0;
  if (on_host && on_device)
    throw AgreedError("some ranks have a GPU and some have none; give --device cpu, or a GPU to each rank",
                      kExitRefused);
  if (on_host && options.kind == "nccl")
    throw AgreedError("--collectives nccl: NCCL exchanges between GPUs; use --collectives mpi", kExitRefused);
  if (session.world_size() == 1) return std::make_unique<SelfCollectives>(1, &backend);
  if (on_host) return std::make_unique<MpiCollectives>(session);
  if (!options.share_device) check_devices(session, backend);
  const bool staged = options.kind == "mpi" || (options.kind == "auto" && options.share_device);
  if (staged) return std::make_unique<StagedCollectives>(std::make_unique<MpiCollectives>(session), backend);
  return make_nccl_collectives(session, backend, options);
}

std::unique_ptr<Collectives> make_collectives(const MpiSession& session) {
  if (session.world_size() == 1) return make_self_collectives();
  return std::make_unique<MpiCollectives>(session);
}

std::unique_ptr<Collectives> make_self_collectives() { return std::make_unique<SelfCollectives>(1); }

std::unique_ptr<Collectives> make_measuring_collectives(int world_size) {
  return std::make_unique<SelfCollectives>(world_size);
}

std::string collectives_library_versions() { return nccl_version(); }

}  // namespace barlow
