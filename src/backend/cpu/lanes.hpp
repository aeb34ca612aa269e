// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include "element.hpp"

// Vectors of 16 numbers in GCC's notation: one AVX-512 register, two of AVX2, four of SSE, as the file that uses
// them is compiled. All functions here are inlined, so none passes a vector through a call.
#pragma GCC diagnostic ignored "-Wpsabi"
#define BARLOW_INLINE __attribute__((always_inline)) inline

namespace barlow::cpu {
namespace {  // each generation of machines has its own

inline constexpr std::int64_t kLanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Words = std::uint32_t __attribute__((vector_size(64)));
using Halves = std::uint16_t __attribute__((vector_size(32)));
using Bytes = std::uint8_t __attribute__((vector_size(16)));
using Doubles = double __attribute__((vector_size(64)));  ///< 8 numbers
using HalfFloats = float __attribute__((vector_size(32)));

/// How many of the 16 lanes exist: all, known when compiled, or the rest of a row.
struct AllLanes {
  static constexpr std::int64_t count = kLanes;
};
struct SomeLanes {
  std::int64_t count;
};

/// Calls f(first, lanes) for 16 of `count` numbers at a time, and once for the rest.
template <class F>
BARLOW_INLINE void for_lanes(std::int64_t count, F&& f) {
  std::int64_t first = 0;
  for (; first + kLanes <= count; first += kLanes) f(first, AllLanes{});
  if (first < count) f(first, SomeLanes{count - first});
}

template <class Vector, class T, class Lanes>
BARLOW_INLINE Vector load_raw(const T* from, Lanes lanes) {
  Vector v{};
  std::memcpy(&v, from, static_cast<std::size_t>(lanes.count) * sizeof(T));
  return v;
}
template <class Vector, class T, class Lanes>
BARLOW_INLINE void store_raw(T* to, const Vector& v, Lanes lanes) {
  std::memcpy(to, &v, static_cast<std::size_t>(lanes.count) * sizeof(T));
}

/// Lanes that do not exist read as zero.
template <class Lanes>
BARLOW_INLINE Floats load(const float* from, Lanes lanes) {
  return load_raw<Floats>(from, lanes);
}
template <class Lanes>
BARLOW_INLINE Floats load(const BFloat16* from, Lanes lanes) {
  return reinterpret_cast<Floats>(__builtin_convertvector(load_raw<Halves>(from, lanes), Words) << 16);
}
template <class Lanes>
BARLOW_INLINE void save(float* to, const Floats& v, Lanes lanes) {
  store_raw(to, v, lanes);
}
/// Round to nearest even; a NaN stays one.
template <class Lanes>
BARLOW_INLINE void save(BFloat16* to, const Floats& v, Lanes lanes) {
  const Words bits = reinterpret_cast<Words>(v);
  const Words rounded = bits + 0x7FFF + ((bits >> 16) & 1);
  const Words result = v == v ? rounded : bits | 0x400000;
  store_raw(to, __builtin_convertvector(result >> 16, Halves), lanes);
}
/// As the element type holds it.
BARLOW_INLINE Floats as_stored(const float*, const Floats& v) { return v; }
BARLOW_INLINE Floats as_stored(const BFloat16*, const Floats& v) {
  BFloat16 stored[kLanes];
  save(stored, v, AllLanes{});
  return load(stored, AllLanes{});
}

BARLOW_INLINE Doubles low_half(const Floats& v) {
  HalfFloats half;
  std::memcpy(&half, &v, sizeof half);
  return __builtin_convertvector(half, Doubles);
}
BARLOW_INLINE Doubles high_half(const Floats& v) {
  HalfFloats half;
  std::memcpy(&half, reinterpret_cast<const float*>(&v) + 8, sizeof half);
  return __builtin_convertvector(half, Doubles);
}

}  // namespace
}  // namespace barlow::cpu
