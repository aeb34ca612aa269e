// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/parameters.hpp"

#include <algorithm>

namespace barlow::nn {
namespace {

constexpr std::int64_t kAlignment = 64;  // elements: 256 bytes of f32, a cache line of bf16

/// Moves the channels of a filter: [K,R,S,C] <-> [K,C,R*S].
template <class Assign>
void for_each_filter_element(const Shape& shape, Assign&& assign) {
  const std::int64_t area = shape[1] * shape[2];
  const std::int64_t channels = shape[3];
  for (std::int64_t k = 0; k < shape[0]; ++k) {
    for (std::int64_t rs = 0; rs < area; ++rs) {
      for (std::int64_t c = 0; c < channels; ++c) {
        assign(static_cast<std::size_t>((k * area + rs) * channels + c),
               static_cast<std::size_t>((k * channels + c) * area + rs));
      }
    }
  }
}

}  // namespace

Shape Parameter::file_shape() const {
  if (kind != ParameterKind::kConvolution) return shape;
  return {shape[0], shape[3], shape[1], shape[2]};
}

int ParameterLayout::add(const std::string& name, ParameterKind kind, const Shape& shape) {
  Parameter parameter{.name = name, .kind = kind, .shape = shape, .offset = 0, .first_row = 0, .rows = shape[0]};
  auto& table = parameter.is_buffer() ? buffers_ : parameters_;
  auto& end = parameter.is_buffer() ? buffer_end_ : parameter_end_;
  if (std::any_of(table.begin(), table.end(), [&](const Parameter& other) { return other.name == name; })) {
    throw ShapeError("two parameters are named " + name);
  }
  parameter.offset = end;
  end += (shape.num_elements() + kAlignment - 1) / kAlignment * kAlignment;
  table.push_back(std::move(parameter));
  return static_cast<int>(table.size()) - 1;
}

// A sum of gradients (4 bytes each) takes every rank twice their size, out and back. Shards take the inputs and output
// gradients once, in the compute type, and the new values once.
void ParameterLayout::shard_linear_layers(int rank, int world_size, std::int64_t batch_rows, DType compute_dtype) {
  const auto compute_bytes = static_cast<std::int64_t>(size_of(compute_dtype));
  for (Parameter& parameter : parameters_) {
    if (world_size == 1 || parameter.kind != ParameterKind::kLinear || parameter.shape[0] % world_size != 0) continue;
    const std::int64_t weights = parameter.shape.num_elements();
    const std::int64_t activations = batch_rows * (parameter.shape[0] + parameter.shape[1]);
    if ((activations + weights) * compute_bytes >= 2 * weights * static_cast<std::int64_t>(sizeof(float))) continue;
    parameter.rows = parameter.shape[0] / world_size;
    parameter.first_row = rank * parameter.rows;
  }
}

std::int64_t ParameterLayout::num_trained() const {
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters_) count += parameter.shape.num_elements();
  return count;
}

std::vector<LarsSegment> ParameterLayout::segments() const {
  std::vector<LarsSegment> segments;
  for (const Parameter& parameter : parameters_) {
    const std::int64_t row_elements = parameter.shape.num_elements() / parameter.shape[0];
    segments.push_back({parameter.offset + parameter.first_row * row_elements, parameter.rows * row_elements,
                        parameter.shape.rank() > 1});
  }
  return segments;
}

ParameterStore::ParameterStore(ParameterLayout layout, Backend& backend, DType compute_dtype, bool training)
    : layout_(std::move(layout)), backend_(backend), compute_dtype_(compute_dtype) {
  const std::int64_t count = layout_.parameter_elements();
  const std::int64_t copies = training ? 3 : 1;
  const std::int64_t elements = copies * count + layout_.buffer_elements();
  memory_ = backend.allocate(static_cast<std::size_t>(elements) * sizeof(float));
  const TensorView all(memory_.data(), DType::kF32, {elements});
  values_ = all.slice(0, count);
  if (training) {
    gradients_ = all.slice(count, count);
    momentum_ = all.slice(2 * count, count);
  }
  buffers_ = all.slice(copies * count, layout_.buffer_elements());
  backend.fill_zero(all);
  if (compute_dtype != DType::kF32) {
    compute_memory_ = backend.allocate(static_cast<std::size_t>(count) * size_of(compute_dtype));
    compute_ = TensorView(compute_memory_.data(), compute_dtype, {count});
    backend.fill_zero(compute_);
  }
}

void ParameterStore::refresh_compute_copy() {
  if (compute_dtype_ != DType::kF32) backend_.cast(values_, compute_);
}

TensorView ParameterStore::window(TensorView flat, const std::vector<Parameter>& table, int number) {
  const Parameter& parameter = table[static_cast<std::size_t>(number)];
  return flat.slice(parameter.offset, parameter.shape.num_elements()).reshaped(parameter.shape);
}

std::vector<float> to_file_layout(const Parameter& parameter, const std::vector<float>& memory_layout) {
  if (parameter.kind != ParameterKind::kConvolution) return memory_layout;
  std::vector<float> result(memory_layout.size());
  for_each_filter_element(parameter.shape,
                          [&](std::size_t memory, std::size_t file) { result[file] = memory_layout[memory]; });
  return result;
}

std::vector<float> to_memory_layout(const Parameter& parameter, const std::vector<float>& file_layout) {
  if (parameter.kind != ParameterKind::kConvolution) return file_layout;
  std::vector<float> result(file_layout.size());
  for_each_filter_element(parameter.shape,
                          [&](std::size_t memory, std::size_t file) { result[memory] = file_layout[file]; });
  return result;
}

}  // namespace barlow::nn
