// SPDX-License-Identifier: Apache-2.0
// Preloaded into barlow, what a rank sees of a lost connection: as soon as the file BROKEN_EXCHANGE exists, the sums of
// rank 1 fail.
#include <mpi.h>
#include <unistd.h>

#include <cstdlib>

extern "C" int MPI_Allreduce(const void* from, void* to, int count, MPI_Datatype type, MPI_Op op,
                             MPI_Comm communicator) {
  int rank = 0;
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const char* file = std::getenv("BROKEN_EXCHANGE");
  if (rank == 1 && file != nullptr && access(file, F_OK) == 0) return MPI_ERR_OTHER;
  return PMPI_Allreduce(from, to, count, type, op, communicator);
}
