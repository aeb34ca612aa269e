// SPDX-License-Identifier: Apache-2.0
// Compiled once per generation of x86-64, as row_kernels.cpp is and under the same rules.
#include "filter_gradient_kernels.hpp"

#include "lanes.hpp"

namespace barlow::cpu {
namespace {

#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))

// A tile's sums take half of the registers: of 32 with AVX-512, of 16 without.
#ifdef __AVX512F__
constexpr std::int64_t kTileRows = 8;
#else
constexpr std::int64_t kTileRows = 4;
#endif
constexpr std::int64_t kTileColumns = 2 * kLanes;

template <std::int64_t kColumns>
void pack_fp32(const std::byte* const* rows, std::int64_t num_rows, std::int64_t offset, std::uint32_t* panel) {
  for (std::int64_t i = 0; i < num_rows; ++i) std::memcpy(panel + i * kColumns, rows[i] + offset, 4 * kColumns);
}

BARLOW_INLINE Floats multiply_add(std::uint32_t a, const Words& b, const Floats& sum, float) {
  float factor;
  std::memcpy(&factor, &a, sizeof factor);
  return sum + factor * reinterpret_cast<Floats>(b);
}

#ifdef __AVX512BF16__
using HalvesOfA = std::uint16_t __attribute__((vector_size(2 * kTileRows)));
using HalvesOfB = std::uint16_t __attribute__((vector_size(2 * kTileColumns)));

/// Two rows by turns.
template <class Row>
void pack_bf16(const std::byte* const* rows, std::int64_t num_rows, std::int64_t offset, std::uint32_t* panel) {
  constexpr int kColumns = sizeof(Row) / 2;
  Row low{}, high{};
#pragma GCC unroll 32
  for (int i = 0; i < kColumns; ++i) {
    low[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * kColumns);
    high[i] = static_cast<std::uint16_t>(low[i] + kColumns / 2);
  }
  for (std::int64_t i = 0; i < num_rows; i += 2, panel += kColumns) {
    Row first, second;
    std::memcpy(&first, rows[i] + offset, sizeof first);
    std::memcpy(&second, rows[i + 1] + offset, sizeof second);
    const Row left = __builtin_shuffle(first, second, low), right = __builtin_shuffle(first, second, high);
    std::memcpy(panel, &left, sizeof left);
    std::memcpy(panel + kColumns / 2, &right, sizeof right);
  }
}

BARLOW_INLINE Floats multiply_add(std::uint32_t a, const Words& b, const Floats& sum, BFloat16) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(Words{} + a), reinterpret_cast<__m512bh>(b));
}
#endif

/// The sums stay in registers from the first row to the last.
template <class T>
void multiply(std::int64_t depth, const std::uint32_t* a, const std::uint32_t* b, bool add, float* c,
              std::int64_t stride) {
  constexpr std::int64_t kVectors = kTileColumns / kLanes;
  Floats sums[kTileRows][kVectors]{};
  for (std::int64_t i = 0; i < depth; ++i, a += kTileRows, b += kTileColumns) {
    Words entries[kVectors];
#pragma GCC unroll 8
    for (std::int64_t v = 0; v < kVectors; ++v) entries[v] = load_raw<Words>(b + v * kLanes, AllLanes{});
#pragma GCC unroll 8
    for (std::int64_t row = 0; row < kTileRows; ++row) {
#pragma GCC unroll 8
      for (std::int64_t v = 0; v < kVectors; ++v) sums[row][v] = multiply_add(a[row], entries[v], sums[row][v], T{});
    }
  }
#pragma GCC unroll 8
  for (std::int64_t row = 0; row < kTileRows; ++row) {
#pragma GCC unroll 8
    for (std::int64_t v = 0; v < kVectors; ++v) {
      float* const to = c + row * stride + v * kLanes;
      save(to, add ? load(to, AllLanes{}) + sums[row][v] : sums[row][v], AllLanes{});
    }
  }
}

template <class T>
constexpr FilterGradientKernels kernels(FilterGradientKernels::Pack* pack_a, FilterGradientKernels::Pack* pack_b) {
  return {kTileRows, kTileColumns, pack_a, pack_b, multiply<T>};
}

constexpr FilterGradientKernels kFp32 = kernels<float>(pack_fp32<kTileRows>, pack_fp32<kTileColumns>);
#else
constexpr FilterGradientKernels kFp32{};
#endif

#ifdef __AVX512BF16__
constexpr FilterGradientKernels kBf16 = kernels<BFloat16>(pack_bf16<HalvesOfA>, pack_bf16<HalvesOfB>);
#else
constexpr FilterGradientKernels kBf16{};
#endif

}  // namespace

extern const FilterGradientTables BARLOW_FILTER_GRADIENT_KERNELS;
constinit const FilterGradientTables BARLOW_FILTER_GRADIENT_KERNELS = {kFp32, kBf16};

}  // namespace barlow::cpu
