// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/error.hpp"
#include "make_nccl_collectives.hpp"

namespace barlow {

std::unique_ptr<Collectives> make_nccl_collectives(const MpiSession&, Backend&, const CollectivesOptions&) {
  throw ConfigError("this program was built without NCCL; configure it with -DBARLOW_WITH_CUDA=ON");
}

std::string nccl_version() { return ""; }

}  // namespace barlow
