// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "barlow/backend/backend.hpp"

namespace barlow::nn {

enum class ParameterKind {
  kConvolution,  ///< [K,R,S,C] here, [K,C,R,S] in files
  kLinear,       ///< [out,in]
  kNormScale,    ///< gamma [C]
  kNormShift,    ///< beta [C]
  kRunningMean,  ///< a buffer [C], not trained
  kRunningVar,   ///< a buffer [C], not trained
};

/// One named tensor of the model. Names are torchvision's, with prefix: `backbone.layer1.0.conv1.weight`.
struct Parameter {
  std::string name;
  ParameterKind kind;
  Shape shape;          ///< as it lies in memory
  std::int64_t offset;  ///< in elements, inside its flat buffer
  /// Rows of the outermost extent that this rank trains: all of them, unless the parameter is sharded.
  std::int64_t first_row = 0, rows = 0;

  bool is_sharded() const { return rows < shape[0]; }
  bool is_buffer() const { return kind == ParameterKind::kRunningMean || kind == ParameterKind::kRunningVar; }
  /// The shape that PyTorch gives it.
  Shape file_shape() const;
};

/// Where every tensor of a model lies. Layers register theirs while they are built, in forward order; offsets are
/// multiples of 64 elements, and the gaps stay zero.
class ParameterLayout {
 public:
  /// Returns the number by which the layer finds it again. @throws ShapeError if the name is taken.
  int add(const std::string& name, ParameterKind kind, const Shape& shape);
  /// Shards the weights of linear layers over ranks (as ZeRO does, Rajbhandari et al. 2020) wherever that moves less
  /// between them than a sum of gradients: each rank computes the gradients of its rows from all ranks' inputs and
  /// output gradients, keeps their momentum, and sends the others the new values. Where the number of ranks does not
  /// divide the rows, the weight stays whole.
  /// @param batch_rows  of a layer's input, over all ranks. Before the layout is used; the same on every rank.
  void shard_linear_layers(int rank, int world_size, std::int64_t batch_rows, DType compute_dtype);

  const std::vector<Parameter>& parameters() const { return parameters_; }  ///< trained tensors, by number
  const std::vector<Parameter>& buffers() const { return buffers_; }        ///< running statistics, by number
  std::int64_t parameter_elements() const { return parameter_end_; }        ///< of the flat buffer, with gaps
  std::int64_t buffer_elements() const { return buffer_end_; }
  std::int64_t num_trained() const;  ///< scalars that are trained
  /// For the optimiser: one segment per trained tensor, this rank's rows of it; decay and trust ratio for rank 2 and
  /// more.
  std::vector<LarsSegment> segments() const;

 private:
  std::vector<Parameter> parameters_, buffers_;
  std::int64_t parameter_end_ = 0, buffer_end_ = 0;
};

/// The values: flat device buffers of f32 values, gradients, momentum and running statistics, and a copy of the values
/// in the compute type (the values themselves when that is f32). While a sharded layout is trained, only the compute
/// copy is whole on every rank; of values, gradients and momentum a rank has its own rows, and optim::gather_shards()
/// brings the others'.
class ParameterStore {
 public:
  /// All zero. Without `training`, no gradients and no momentum.
  ParameterStore(ParameterLayout layout, Backend& backend, DType compute_dtype, bool training);

  const ParameterLayout& layout() const { return layout_; }
  DType compute_dtype() const { return compute_dtype_; }

  TensorView values() const { return values_; }
  TensorView gradients() const { return gradients_; }
  TensorView momentum() const { return momentum_; }
  TensorView buffers() const { return buffers_; }
  /// Empty when the compute type is f32.
  TensorView compute_copy() const { return compute_; }
  /// Brings the compute copy up to date after the values were written by anything but the optimiser.
  void refresh_compute_copy();

  TensorView value(int parameter) const { return window(values_, layout_.parameters(), parameter); }
  TensorView gradient(int parameter) const { return window(gradients_, layout_.parameters(), parameter); }
  /// The value in the compute type.
  ConstTensorView compute(int parameter) const {
    return window(compute_dtype_ == DType::kF32 ? values_ : compute_, layout_.parameters(), parameter);
  }
  TensorView buffer(int number) const { return window(buffers_, layout_.buffers(), number); }

  /// How many batches the running statistics have seen (each view counts as one, as in PyTorch).
  std::int64_t num_batches_tracked = 0;

  std::size_t size_bytes() const { return memory_.size_bytes() + compute_memory_.size_bytes(); }

 private:
  static TensorView window(TensorView flat, const std::vector<Parameter>& table, int number);

  ParameterLayout layout_;
  Backend& backend_;
  DType compute_dtype_;
  Buffer memory_, compute_memory_;
  TensorView values_, gradients_, momentum_, buffers_, compute_;
};

/// Initial values of the reference: convolutions Kaiming-normal (fan-out), linear layers U(+-1/sqrt(in)), gamma 1, beta
/// 0, running mean 0 and variance 1; the last gamma of each residual block 0. A pure function of the seed and of the
/// names.
void initialize(ParameterStore& store, Backend& backend, std::uint64_t seed);

/// Host copies in the layout of files (PyTorch's), [elements] f32.
std::vector<float> to_file_layout(const Parameter& parameter, const std::vector<float>& memory_layout);
std::vector<float> to_memory_layout(const Parameter& parameter, const std::vector<float>& file_layout);

}  // namespace barlow::nn
