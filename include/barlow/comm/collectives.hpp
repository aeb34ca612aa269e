// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/tensor/view.hpp"

namespace barlow {

/// Exchanges tensors in the device's memory between ranks, in order with the device's computation.
///
/// Every function is collective: all ranks call the same functions in the same order with the same sizes. The result of
/// a sum is the same bits on every rank, and depends on the number of ranks only. A library that refuses throws
/// CommError.
class Collectives {
 public:
  virtual ~Collectives() = default;

  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  /// True if exchanges can be part of a backend's Recording: no host takes part in them.
  virtual bool can_be_recorded() const { return false; }

  /// Sums over all ranks, in place; f32 or f64. Later operations of the device see the sum.
  virtual void all_reduce_sum(TensorView values) = 0;
  /// gathered [world_size * n, ...] receives every rank's local [n, ...], in rank order; any type. `local` may be this
  /// rank's part of `gathered`.
  virtual void all_gather(ConstTensorView local, TensorView gathered) = 0;
  /// Root's values, on every rank; any type.
  virtual void broadcast(TensorView values) = 0;

  /// Starts to sum over all ranks, in place, what the device has computed so far; f32. Nobody touches the values before
  /// finish().
  virtual void begin_all_reduce_sum(TensorView values) = 0;
  /// Lets sums that were begun advance, where the library needs to be asked. Cheap.
  virtual void progress() = 0;
  /// After it, later operations of the device see every sum that was begun.
  virtual void finish() = 0;
};

}  // namespace barlow
