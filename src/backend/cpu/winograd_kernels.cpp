// SPDX-License-Identifier: Apache-2.0
// Compiled once per generation of x86-64, as row_kernels.cpp is and under the same rules.
#include "winograd_kernels.hpp"

#include "lanes.hpp"

namespace barlow::cpu {
namespace {

template <int kRows, int kColumns>
struct Matrix {
  float entries[kRows][kColumns];
};

constexpr Matrix<4, 4> kInput{{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}}};
constexpr Matrix<4, 3> kFilter{{{1, 0, 0}, {0.5F, 0.5F, 0.5F}, {0.5F, -0.5F, 0.5F}, {0, 0, 1}}};
constexpr Matrix<2, 4> kOutput{{{1, 1, 1, 0}, {0, 1, -1, -1}}};

template <int kRows, int kColumns>
constexpr Matrix<kColumns, kRows> transposed(const Matrix<kRows, kColumns>& matrix) {
  Matrix<kColumns, kRows> result{};
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kColumns; ++j) result.entries[j][i] = matrix.entries[i][j];
  return result;
}

/// Row i of L times a vector of which value(j) is an entry.
template <const auto& kMatrix, int kColumns, class F>
BARLOW_INLINE Floats dot_row(int i, F&& value) {
  Floats sum{};
  bool first = true;
#pragma GCC unroll 4
  for (int j = 0; j < kColumns; ++j) {
    const float entry = kMatrix.entries[i][j];
    if (entry == 0) continue;
    const Floats term = entry == 1 ? value(j) : entry == -1 ? -value(j) : entry * value(j);
    sum = first ? term : sum + term;
    first = false;
  }
  return sum;
}

template <const auto& kMatrix, int kRows, int kColumns, class Lanes>
BARLOW_INLINE void transform_lanes(const float* const* from, float* const* to, std::int64_t c, Lanes lanes) {
  Floats halfway[kRows][kColumns];
#pragma GCC unroll 4
  for (int column = 0; column < kColumns; ++column) {
    Floats entries[kColumns];
#pragma GCC unroll 4
    for (int row = 0; row < kColumns; ++row) entries[row] = load(from[row * kColumns + column] + c, lanes);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
      halfway[i][column] = dot_row<kMatrix, kColumns>(i, [&](int j) { return entries[j]; });
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int k = 0; k < kRows; ++k)
      save(to[i * kRows + k] + c, dot_row<kMatrix, kColumns>(k, [&](int j) { return halfway[i][j]; }), lanes);
  }
}

template <const auto& kMatrix, int kRows, int kColumns>
void transform(const float* const* from, float* const* to, std::int64_t channels) {
  for_lanes(channels,
            [&](std::int64_t c, auto lanes) { transform_lanes<kMatrix, kRows, kColumns>(from, to, c, lanes); });
}

constexpr Matrix<4, 2> kOutputGrad = transposed(kOutput);
constexpr Matrix<3, 4> kFilterGrad = transposed(kFilter);

}  // namespace

extern const WinogradKernels BARLOW_WINOGRAD_KERNELS;
constinit const WinogradKernels BARLOW_WINOGRAD_KERNELS = {transform<kInput, 4, 4>, transform<kFilter, 4, 3>,
                                                           transform<kOutput, 2, 4>, transform<kOutputGrad, 4, 2>,
                                                           transform<kFilterGrad, 3, 4>};

}  // namespace barlow::cpu
