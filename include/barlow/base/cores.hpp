// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace barlow {

/// The cores that one of `local_size` ranks of this host may use: those that it was bound to (mpirun --bind-to, srun
/// --cpu-bind, taskset), or its share of all of them where it was not bound. At least 1.
int cores_of_rank(int local_size);

}  // namespace barlow
