// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "barlow/base/error.hpp"

namespace barlow {

/// Extents of a dense row-major tensor, outermost first, at most five.
///
/// Letters used for extents: N images in this tensor, H W C height, width and channels, K filters, R S height and width
/// of a filter, P Q height and width of an output, B global batch, D embedding width, V views.
class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) {
    for (const std::int64_t extent : extents) append(extent);
  }
  void append(std::int64_t extent) {
    if (rank_ == kMaxRank) throw ShapeError("a shape has more than 5 extents");
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  /// 1 for a scalar.
  std::int64_t num_elements() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_; ++axis) product *= (*this)[axis];
    return product;
  }
  bool operator==(const Shape& other) const = default;
  std::string to_string() const {
    std::string text = "[";
    for (int axis = 0; axis < rank_; ++axis) text += (axis > 0 ? ", " : "") + std::to_string((*this)[axis]);
    return text + "]";
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace barlow
