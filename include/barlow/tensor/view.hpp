// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <type_traits>

#include "barlow/tensor/dtype.hpp"
#include "barlow/tensor/shape.hpp"

namespace barlow {

namespace detail {
template <class T>
struct dtype_of;
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::kF64;
};
template <>
struct dtype_of<std::uint8_t> {
  static constexpr DType value = DType::kU8;
};
template <>
struct dtype_of<std::int64_t> {
  static constexpr DType value = DType::kI64;
};
}  // namespace detail

/// A window on dense row-major memory that somebody else owns, on the host or on a device. Cheap to copy. `Pointer` is
/// `void*` or `const void*`.
template <class Pointer>
struct BasicTensorView {
  Pointer data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  BasicTensorView() = default;
  BasicTensorView(Pointer pointer, DType type, const Shape& extents) : data(pointer), dtype(type), shape(extents) {}
  /// A writable window is also a readable one.
  template <class Other>
  requires(!std::is_same_v<Other, Pointer> && std::is_convertible_v<Other, Pointer>)
      BasicTensorView(const BasicTensorView<Other>& other)
      : data(other.data), dtype(other.dtype), shape(other.shape) {}

  explicit operator bool() const { return data != nullptr; }
  std::int64_t num_elements() const { return shape.num_elements(); }
  std::size_t size_bytes() const { return static_cast<std::size_t>(num_elements()) * size_of(dtype); }

  /// The same memory under another shape of equally many elements.
  BasicTensorView reshaped(const Shape& extents) const {
    if (extents.num_elements() != num_elements()) {
      throw ShapeError("cannot reshape " + shape.to_string() + " to " + extents.to_string());
    }
    return {data, dtype, extents};
  }
  /// `count` entries of the outermost extent, from `first`.
  BasicTensorView slice(std::int64_t first, std::int64_t count) const {
    if (shape.rank() == 0 || first < 0 || count < 0 || first + count > shape[0]) {
      throw ShapeError("slice outside " + shape.to_string());
    }
    Shape extents{count};
    for (int axis = 1; axis < shape.rank(); ++axis) extents.append(shape[axis]);
    const auto row_bytes = shape[0] == 0 ? 0 : size_bytes() / static_cast<std::size_t>(shape[0]);
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const std::byte, std::byte>;
    if (data == nullptr) return {nullptr, dtype, extents};  // a measured tensor has no address
    return {static_cast<Byte*>(data) + row_bytes * static_cast<std::size_t>(first), dtype, extents};
  }
  /// Host memory as elements of T. @throws ShapeError if T is not the element type.
  template <class T>
  auto* as() const {
    if (detail::dtype_of<T>::value != dtype) throw ShapeError(std::string("tensor holds ") + name_of(dtype));
    using Element = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const T, T>;
    return static_cast<Element*>(data);
  }
};

using TensorView = BasicTensorView<void*>;
using ConstTensorView = BasicTensorView<const void*>;

}  // namespace barlow
