// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace barlow {

/// The cores that one of `local_size` ranks of this host may use: those that it is bound to (mpirun --bind-to, srun
/// --cpu-bind, taskset), but at most its share of all of them, since ranks may be bound to the same ones. At least 1.
int cores_of_rank(int local_size);

/// The same for a rank that is bound to `bound` of the host's `online` cores.
int cores_of_rank(int bound, int online, int local_size);

}  // namespace barlow
