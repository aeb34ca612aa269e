// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "element.hpp"

// Vectors in GCC's notation, as wide as the registers of the processors that the file is compiled for: in wider ones
// GCC 12 compares and chooses number by number. All functions here are inlined, so none passes a vector through a call.
#pragma GCC diagnostic ignored "-Wpsabi"
#define BARLOW_INLINE __attribute__((always_inline)) inline

namespace barlow::cpu {
namespace {  // each generation of machines has its own

#ifdef __AVX512F__
inline constexpr std::int64_t kLanes = 16;
#elif defined(__AVX2__)
inline constexpr std::int64_t kLanes = 8;
#else
inline constexpr std::int64_t kLanes = 4;
#endif
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Words = std::uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = std::uint16_t __attribute__((vector_size(2 * kLanes)));
using Bytes = std::uint8_t __attribute__((vector_size(kLanes)));
using Doubles = double __attribute__((vector_size(4 * kLanes)));  ///< half as many numbers

/// How many of the lanes exist: all, known when compiled, or the rest of a row.
struct AllLanes {
  static constexpr std::int64_t count = kLanes;
};
struct SomeLanes {
  std::int64_t count;
};

/// Calls f(first, lanes) for kLanes of `count` numbers at a time, and once for the rest.
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

// Between 8, 16 and 32 bits, 32 and 64: GCC 12 does these in halves of a register, which costs more than the
// arithmetic. (The masks are all ones: without one GCC 12 warns of its own header's undefined operand.)
#ifdef __AVX512F__
BARLOW_INLINE Words widen(const Halves& v) {
  return reinterpret_cast<Words>(_mm512_maskz_cvtepu16_epi32(0xFFFF, reinterpret_cast<__m256i>(v)));
}
BARLOW_INLINE Halves narrow(const Words& v) {
  return reinterpret_cast<Halves>(_mm512_maskz_cvtepi32_epi16(0xFFFF, reinterpret_cast<__m512i>(v)));
}
BARLOW_INLINE Words widen(const Bytes& v) {
  return reinterpret_cast<Words>(_mm512_maskz_cvtepu8_epi32(0xFFFF, reinterpret_cast<__m128i>(v)));
}
BARLOW_INLINE Bytes narrow_to_bytes(const Words& v) {
  return reinterpret_cast<Bytes>(_mm512_maskz_cvtepi32_epi8(0xFFFF, reinterpret_cast<__m512i>(v)));
}
BARLOW_INLINE Doubles low_half(const Floats& v) {
  return _mm512_maskz_cvtps_pd(0xFF, _mm512_maskz_extractf32x8_ps(0xFF, v, 0));
}
BARLOW_INLINE Doubles high_half(const Floats& v) {
  return _mm512_maskz_cvtps_pd(0xFF, _mm512_maskz_extractf32x8_ps(0xFF, v, 1));
}
#else
BARLOW_INLINE Words widen(const Halves& v) { return __builtin_convertvector(v, Words); }
BARLOW_INLINE Halves narrow(const Words& v) { return __builtin_convertvector(v, Halves); }
BARLOW_INLINE Words widen(const Bytes& v) { return __builtin_convertvector(v, Words); }
BARLOW_INLINE Bytes narrow_to_bytes(const Words& v) { return __builtin_convertvector(v, Bytes); }
using HalfFloats = float __attribute__((vector_size(2 * kLanes)));
BARLOW_INLINE Doubles low_half(const Floats& v) {
  HalfFloats half;
  std::memcpy(&half, &v, sizeof half);
  return __builtin_convertvector(half, Doubles);
}
BARLOW_INLINE Doubles high_half(const Floats& v) {
  HalfFloats half;
  std::memcpy(&half, reinterpret_cast<const char*>(&v) + sizeof half, sizeof half);
  return __builtin_convertvector(half, Doubles);
}
#endif

/// Lanes that do not exist read as zero.
template <class Lanes>
BARLOW_INLINE Floats load(const float* from, Lanes lanes) {
  return load_raw<Floats>(from, lanes);
}
template <class Lanes>
BARLOW_INLINE Floats load(const BFloat16* from, Lanes lanes) {
  return reinterpret_cast<Floats>(widen(load_raw<Halves>(from, lanes)) << 16);
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
  store_raw(to, narrow(result >> 16), lanes);
}
/// As the element type holds it.
BARLOW_INLINE Floats as_stored(const float*, const Floats& v) { return v; }
BARLOW_INLINE Floats as_stored(const BFloat16*, const Floats& v) {
  BFloat16 stored[kLanes];
  save(stored, v, AllLanes{});
  return load(stored, AllLanes{});
}

}  // namespace
}  // namespace barlow::cpu
