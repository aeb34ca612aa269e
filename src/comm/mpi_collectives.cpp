// SPDX-License-Identifier: Apache-2.0
#include "mpi_collectives.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "barlow/base/error.hpp"

namespace barlow {
namespace {

// An int counts MPI's elements; larger tensors go in pieces.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 30;

MPI_Datatype sum_type(DType dtype) {
  if (dtype == DType::kF32) return MPI_FLOAT;
  if (dtype == DType::kF64) return MPI_DOUBLE;
  throw ShapeError(std::string("ranks sum fp32 or fp64, not ") + name_of(dtype));
}

/// Calls f(pointer, count) for every piece of `values`.
template <class F>
void for_each_piece(TensorView values, F&& f) {
  const std::int64_t total = values.num_elements();
  for (std::int64_t first = 0; first < total; first += kMaxCount) {
    auto* piece = static_cast<std::byte*>(values.data) + static_cast<std::size_t>(first) * size_of(values.dtype);
    f(piece, static_cast<int>(std::min(kMaxCount, total - first)));
  }
}

}  // namespace

void MpiCollectives::all_reduce_sum(TensorView values) {
  const MPI_Datatype type = sum_type(values.dtype);
  for_each_piece(values, [&](void* piece, int count) {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, piece, count, type, MPI_SUM, session_.communicator()));
  });
}

void MpiCollectives::all_gather(ConstTensorView local, TensorView gathered) {
  if (gathered.size_bytes() != local.size_bytes() * static_cast<std::size_t>(world_size())) {
    throw ShapeError("all_gather: " + local.shape.to_string() + " of each rank do not fill " +
                     gathered.shape.to_string());
  }
  if (local.size_bytes() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw ShapeError("all_gather: more than 2 GiB from one rank");
  }
  const int bytes = static_cast<int>(local.size_bytes());
  const auto* own_part =
      static_cast<const std::byte*>(gathered.data) + static_cast<std::size_t>(rank()) * local.size_bytes();
  const void* from = local.data == own_part ? MPI_IN_PLACE : local.data;
  check_mpi(MPI_Allgather(from, bytes, MPI_BYTE, gathered.data, bytes, MPI_BYTE, session_.communicator()));
}

void MpiCollectives::broadcast(TensorView values) {
  const TensorView bytes(values.data, DType::kU8, {static_cast<std::int64_t>(values.size_bytes())});
  for_each_piece(
      bytes, [&](void* piece, int count) { check_mpi(MPI_Bcast(piece, count, MPI_BYTE, 0, session_.communicator())); });
}

void MpiCollectives::begin_all_reduce_sum(TensorView values) {
  const MPI_Datatype type = sum_type(values.dtype);
  for_each_piece(values, [&](void* piece, int count) {
    pending_.push_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, piece, count, type, MPI_SUM, session_.communicator(), &pending_.back()));
  });
}

void MpiCollectives::progress() {
  if (pending_.empty()) return;
  int all_done = 0;
  check_mpi(MPI_Testall(static_cast<int>(pending_.size()), pending_.data(), &all_done, MPI_STATUSES_IGNORE));
  if (all_done != 0) pending_.clear();
}

void MpiCollectives::finish() {
  check_mpi(MPI_Waitall(static_cast<int>(pending_.size()), pending_.data(), MPI_STATUSES_IGNORE));
  pending_.clear();
}

}  // namespace barlow
