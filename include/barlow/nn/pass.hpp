// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "barlow/backend/backend.hpp"
#include "barlow/comm/collectives.hpp"
#include "barlow/nn/parameters.hpp"
#include "barlow/tensor/arena.hpp"

namespace barlow::nn {

/// What a forward pass leaves for its backward pass: a stack, popped in reverse order.
class Tape {
 public:
  void push(Activation activation) { stack_.push_back(std::move(activation)); }
  Activation pop() {
    if (stack_.empty()) throw ShapeError("backward pops more than forward pushed");
    Activation top = std::move(stack_.back());
    stack_.pop_back();
    return top;
  }
  bool empty() const { return stack_.empty(); }

 private:
  std::vector<Activation> stack_;
};

/// Learns that gradients are complete, while backward goes on.
class GradientListener {
 public:
  virtual ~GradientListener() = default;
  /// Every gradient from this offset (in elements) to the end of the flat buffer has its final local value.
  virtual void complete_from(std::int64_t offset) = 0;
};

/// One pass through the network: what the layers need besides their input. Layers hold numbers of parameters and
/// shapes, never activations.
struct Pass {
  Backend& backend;
  Collectives& collectives;
  Arena& arena;
  ParameterStore& parameters;
  /// Batch norm with the batch's statistics over all ranks, per view; otherwise with the running ones.
  bool training = true;
  /// Equal outermost parts of a batch that are normalised apart: its 2 views in pre-training, else 1.
  std::int64_t views = 2;
  /// How far running statistics move towards each batch's.
  float norm_momentum = 0.1F;
  /// Forward keeps on the tape what backward needs.
  bool record = true;
  GradientListener* listener = nullptr;
  Tape tape{};

  Activation allocate(const Shape& shape) { return arena.allocate(parameters.compute_dtype(), shape); }
  Activation allocate(DType dtype, const Shape& shape) { return arena.allocate(dtype, shape); }
  /// Tells the listener that the gradients of this parameter and of all after it are complete.
  void gradients_complete_from(int parameter) const {
    if (listener != nullptr) {
      listener->complete_from(parameters.layout().parameters()[static_cast<std::size_t>(parameter)].offset);
    }
  }
  void keep(const Activation& activation) {
    if (record) tape.push(activation);
  }
};

}  // namespace barlow::nn
