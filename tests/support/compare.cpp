// SPDX-License-Identifier: Apache-2.0
#include "support/compare.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

namespace barlow::testing {
namespace {

std::uint16_t bfloat16_bits(double value) {
  if (std::isnan(value)) return 0x7FC0;
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  const std::uint32_t low = bits & 0xFFFFU, high = bits >> 16;
  const bool up = low > 0x8000U || (low == 0x8000U && (high & 1U) != 0);
  return static_cast<std::uint16_t>(high + (up ? 1 : 0));
}

__extension__ using Half = _Float16;

double of_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

template <class T, class Convert>
void write(std::vector<std::byte>& bytes, const Values& values, Convert&& convert) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T element = convert(values[i]);
    std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
}

template <class T, class Convert>
Values read(const std::vector<std::byte>& bytes, Convert&& convert) {
  Values values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T element;
    std::memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = convert(element);
  }
  return values;
}

std::vector<std::byte> encode(const Values& values, DType dtype) {
  std::vector<std::byte> bytes(values.size() * size_of(dtype));
  if (dtype == DType::kF64) write<double>(bytes, values, [](double v) { return v; });
  if (dtype == DType::kF32) write<float>(bytes, values, [](double v) { return static_cast<float>(v); });
  if (dtype == DType::kBF16) write<std::uint16_t>(bytes, values, bfloat16_bits);
  if (dtype == DType::kF16)
    write<Half>(bytes, values, [](double v) { return static_cast<Half>(static_cast<float>(v)); });
  if (dtype == DType::kU8) write<std::uint8_t>(bytes, values, [](double v) { return static_cast<std::uint8_t>(v); });
  return bytes;
}

Values decode(const std::vector<std::byte>& bytes, DType dtype) {
  const auto same = [](auto v) { return static_cast<double>(v); };
  if (dtype == DType::kF64) return read<double>(bytes, same);
  if (dtype == DType::kF32) return read<float>(bytes, same);
  if (dtype == DType::kBF16) return read<std::uint16_t>(bytes, of_bfloat16);
  if (dtype == DType::kF16) return read<Half>(bytes, same);
  return read<std::uint8_t>(bytes, same);
}

}  // namespace

Values random_values(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  Values values(static_cast<std::size_t>(count));
  for (double& value : values) value = normal(generator);
  return values;
}

Values rounded(Values values, DType dtype) { return decode(encode(values, dtype), dtype); }

DeviceTensor::DeviceTensor(Backend& backend, DType dtype, const Shape& shape) : backend_(&backend) {
  view_ = TensorView(nullptr, dtype, shape);
  memory_ = backend.allocate(view_.size_bytes());
  view_.data = memory_.data();
  const std::vector<std::uint8_t> poison(view_.size_bytes(), 0xFF);
  const Shape size{static_cast<std::int64_t>(poison.size())};
  backend.copy_to_device(ConstTensorView(poison.data(), DType::kU8, size), TensorView(view_.data, DType::kU8, size));
  backend.synchronize();
}

DeviceTensor::DeviceTensor(Backend& backend, DType dtype, const Shape& shape, const Values& values)
    : DeviceTensor(backend, dtype, shape) {
  const std::vector<std::byte> host = encode(values, dtype);
  backend.copy_to_device(ConstTensorView(host.data(), dtype, Shape{static_cast<std::int64_t>(values.size())}), view_);
  backend.synchronize();
}

std::vector<std::byte> DeviceTensor::bytes() const {
  std::vector<std::byte> host(view_.size_bytes());
  backend_->copy_to_host(view_, TensorView(host.data(), view_.dtype, view_.shape));
  return host;
}

Values DeviceTensor::values() const { return decode(bytes(), view_.dtype); }

double nmse(const Values& actual, const Values& expected) {
  if (actual.size() != expected.size()) return std::nan("");
  double difference = 0, energy = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    energy += expected[i] * expected[i];
  }
  return energy > 0 ? difference / energy : difference;
}

}  // namespace barlow::testing
