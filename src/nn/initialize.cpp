// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>
#include <numbers>

#include "barlow/base/random.hpp"
#include "barlow/nn/parameters.hpp"

namespace barlow::nn {
namespace {

/// FNV-1a: names a parameter's random stream independently of its place in the model.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

/// Standard normal numbers, two at a time (Box and Muller 1958).
void fill_normal(RandomStream& random, double deviation, std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const double radius = deviation * std::sqrt(-2 * std::log(1 - random.next_uniform()));
    const double angle = 2 * std::numbers::pi * random.next_uniform();
    values[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < values.size()) values[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

void fill_uniform(RandomStream& random, float bound, std::vector<float>& values) {
  for (float& value : values) {
    value = (static_cast<float>(random.next_u32() >> 8) * 0x1.0p-23F - 1.0F) * bound;
  }
}

/// The last gamma of a bottleneck is bn3's, of a basic block bn2's; the block is the identity at first.
bool is_last_gamma_of_block(const ParameterLayout& layout, const std::string& name) {
  if (name.find(".layer") == std::string::npos) return false;
  if (name.ends_with(".bn3.weight")) return true;
  if (!name.ends_with(".bn2.weight")) return false;
  const std::string third = name.substr(0, name.size() - 10) + "bn3.weight";
  for (const Parameter& other : layout.parameters()) {
    if (other.name == third) return false;
  }
  return true;
}

std::vector<float> initial_values(const ParameterLayout& layout, const Parameter& parameter, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(parameter.shape.num_elements()), 0.0F);
  RandomStream random(seed, RandomStream::Purpose::kInitialWeights, hash_of(parameter.name));
  switch (parameter.kind) {
    case ParameterKind::kConvolution: {
      const auto fan_out = static_cast<double>(parameter.shape[0] * parameter.shape[1] * parameter.shape[2]);
      fill_normal(random, std::sqrt(2 / fan_out), values);
      return to_memory_layout(parameter, values);
    }
    case ParameterKind::kLinear:
      fill_uniform(random, 1.0F / std::sqrt(static_cast<float>(parameter.shape[1])), values);
      break;
    case ParameterKind::kNormScale:
      if (!is_last_gamma_of_block(layout, parameter.name)) std::fill(values.begin(), values.end(), 1.0F);
      break;
    case ParameterKind::kRunningVar:
      std::fill(values.begin(), values.end(), 1.0F);
      break;
    case ParameterKind::kNormShift:
    case ParameterKind::kRunningMean:
      break;
  }
  return values;
}

}  // namespace

void initialize(ParameterStore& store, Backend& backend, std::uint64_t seed) {
  const ParameterLayout& layout = store.layout();
  const auto fill = [&](const Parameter& parameter, TensorView target) {
    const std::vector<float> values = initial_values(layout, parameter, seed);
    backend.copy_to_device(ConstTensorView(values.data(), DType::kF32, parameter.shape), target);
    backend.synchronize();
  };
  for (std::size_t i = 0; i < layout.parameters().size(); ++i)
    fill(layout.parameters()[i], store.value(static_cast<int>(i)));
  for (std::size_t i = 0; i < layout.buffers().size(); ++i)
    fill(layout.buffers()[i], store.buffer(static_cast<int>(i)));
  store.num_batches_tracked = 0;
  store.refresh_compute_copy();
}

}  // namespace barlow::nn
