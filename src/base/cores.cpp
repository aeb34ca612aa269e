// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/cores.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace barlow {

int cores_of_rank(int local_size) {
  const int online = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    if (const int bound = CPU_COUNT(&allowed); bound > 0 && bound < online) return bound;
  }
  return std::max(1, online / std::max(1, local_size));
}

}  // namespace barlow
