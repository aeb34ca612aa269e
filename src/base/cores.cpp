// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/cores.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace barlow {

int cores_of_rank(int bound, int online, int local_size) {
  return std::max(1, std::min(bound, online / std::max(1, local_size)));
}

int cores_of_rank(int local_size) {
  const int online = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  return cores_of_rank(known ? CPU_COUNT(&allowed) : online, online, local_size);
}

}  // namespace barlow
