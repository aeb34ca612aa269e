// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include "barlow/tensor/buffer.hpp"
#include "barlow/tensor/view.hpp"

namespace barlow {

class Arena;

/// A tensor in an Arena, shared by those who hold it; the last holder gives the memory back.
class Activation {
 public:
  Activation() = default;
  /// Remembers a shape and holds no memory.
  static Activation of_shape(const Shape& shape) {
    Activation activation;
    activation.view_.shape = shape;
    return activation;
  }
  const TensorView& view() const { return view_; }
  operator TensorView() const { return view_; }       // NOLINT: an activation is used wherever a tensor is
  operator ConstTensorView() const { return view_; }  // NOLINT
  const Shape& shape() const { return view_.shape; }
  explicit operator bool() const { return block_ != nullptr; }
  /// The same memory, held too, under another shape.
  Activation reshaped(const Shape& extents) const {
    Activation other = *this;
    other.view_ = view_.reshaped(extents);
    return other;
  }

 private:
  friend class Arena;
  struct Block;
  std::shared_ptr<const Block> block_;
  TensorView view_;
};

/// Hands out activations from one block of device memory, best fit. Every step makes the same requests in the same
/// order, so every step gets the same addresses. Not thread-safe; outlives its activations.
///
/// Without memory (`Arena()`) it only measures: addresses are null, and peak_bytes() tells how much a real one needs.
class Arena {
 public:
  Arena() = default;
  explicit Arena(Buffer memory);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Uninitialised memory, 256-byte aligned.
  /// @throws DeviceError when the arena is exhausted, with the sizes.
  Activation allocate(DType dtype, const Shape& shape);

  std::size_t peak_bytes() const { return peak_bytes_; }
  std::size_t used_bytes() const { return used_bytes_; }

 private:
  friend class Activation;
  void release(std::size_t offset, std::size_t size_bytes) noexcept;

  Buffer memory_;
  std::map<std::size_t, std::size_t> free_;  ///< offset to size of each gap below end_
  std::size_t end_ = 0;                      ///< everything from here up is free
  std::size_t used_bytes_ = 0;
  std::size_t peak_bytes_ = 0;  ///< the highest end_
};

}  // namespace barlow
