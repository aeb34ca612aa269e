// SPDX-License-Identifier: Apache-2.0
// Compiled once per generation of x86-64 (CMakeLists.txt): vectors become what the instruction set has only if
// it is known from the first pass on. Nothing here may be shared with code for other generations, so all but the
// table is local, and nothing of the standard library is used that could be.
#include "row_kernels.hpp"

#include <limits>

#include "lanes.hpp"

namespace barlow::cpu {
namespace {

BARLOW_INLINE void add_to(double* sums, const Doubles& values) {
  Doubles total;
  std::memcpy(&total, sums, sizeof total);
  total += values;
  std::memcpy(sums, &total, sizeof total);
}

template <class T>
BARLOW_INLINE void sum_columns(const T* row, std::int64_t first, std::int64_t channels, double* sum, double* square) {
  for (std::int64_t c = first; c < channels; ++c) {
    const double value = to_float(row[c]);
    sum[c] += value;
    square[c] += value * value;
  }
}

/// Sums of x and of x^2 over `kRows` rows of kLanes channels, in f64 throughout: the variance is their difference,
/// which cancels where the mean is large.
template <int kRows, class T>
BARLOW_INLINE void add_rows(const T* x, std::int64_t channels, double* sum, double* square) {
  Doubles low_sum{}, high_sum{}, low_square{}, high_square{};
  for (int r = 0; r < kRows; ++r) {
    // A row of the next group: the processor by itself does not follow so many at once.
    __builtin_prefetch(x + (r + kRows) * channels);
    const Floats v = load(x + r * channels, AllLanes{});
    const Doubles low = low_half(v), high = high_half(v);
    low_sum += low;
    high_sum += high;
    low_square += low * low;
    high_square += high * high;
  }
  add_to(sum, low_sum);
  add_to(sum + kLanes / 2, high_sum);
  add_to(square, low_square);
  add_to(square + kLanes / 2, high_square);
}

/// A few rows at a time share one pass over the sums.
template <class T>
void sum_run(const T* x, std::int64_t rows, std::int64_t channels, double* sum, double* square) {
  constexpr int kRows = 8;
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) {
    const T* first = x + row * channels;
    std::int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) add_rows<kRows>(first + c, channels, sum + c, square + c);
    for (int r = 0; r < kRows; ++r) sum_columns(first + r * channels, c, channels, sum, square);
  }
  for (; row < rows; ++row) sum_columns(x + row * channels, 0, channels, sum, square);
}

template <class T, class U, bool kRelu, bool kResidual>
void normalize_rows(const T* x, const U* residual, const float* scale, const float* shift, U* y, std::int64_t rows,
                    std::int64_t channels) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for_lanes(
        channels, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          const std::int64_t i = row * channels + c;
          Floats value = load(x + i, lanes) * load(scale + c, lanes) + load(shift + c, lanes);
          if constexpr (kResidual) value += load(residual + i, lanes);
          if constexpr (kRelu) value = value < 0 ? Floats{} : value;  // a NaN passes
          save(y + i, value, lanes);
        });
  }
}

/// In fp32 a vector is a whole cache line: the processor by itself does not read far enough ahead. (In bf16 it does.)
template <class T>
BARLOW_INLINE void look_ahead(const T* at) {
  if constexpr (sizeof(T) == 4) __builtin_prefetch(at + 512);
}

/// Without residual: sums of dz and dz * (x - mean), the mask from x.
template <class T, class U, bool kRelu>
void grad_sum_run(const T* x, const U* dy, const float* mean, const float* scale, const float* shift, std::int64_t rows,
                  std::int64_t channels, float* sum, float* dot) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for_lanes(
        channels, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          const std::int64_t i = row * channels + c;
          look_ahead(x + i);
          look_ahead(dy + i);
          const Floats value = load(x + i, lanes);
          Floats dz = load(dy + i, lanes);
          if constexpr (kRelu) dz = value * load(scale + c, lanes) + load(shift + c, lanes) > 0 ? dz : Floats{};
          save(sum + c, load(sum + c, lanes) + dz, lanes);
          save(dot + c, load(dot + c, lanes) + dz * (value - load(mean + c, lanes)), lanes);
        });
  }
}

/// With residual: dz is written over dy, the mask from y.
template <class T, class U, bool kRelu, bool kExtra>
void masked_grad_sum_run(const T* x, const U* y, U* dy, const U* extra, const float* mean, std::int64_t rows,
                         std::int64_t channels, float* sum, float* dot) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for_lanes(
        channels, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          const std::int64_t i = row * channels + c;
          Floats dz = load(dy + i, lanes);
          if constexpr (kExtra) dz += load(extra + i, lanes);
          if constexpr (kRelu) dz = load(y + i, lanes) > 0 ? dz : Floats{};
          dz = as_stored(dy, dz);
          save(dy + i, dz, lanes);
          save(sum + c, load(sum + c, lanes) + dz, lanes);
          save(dot + c, load(dot + c, lanes) + dz * (load(x + i, lanes) - load(mean + c, lanes)), lanes);
        });
  }
}

/// dx = a dz + b x + d per channel.
template <class T, class U, bool kMask>
void grad_input_rows(const T* x, const U* dy, const float* scale, const float* shift, const float* a, const float* b,
                     const float* d, T* dx, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for_lanes(
        channels, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          const std::int64_t i = row * channels + c;
          const Floats value = load(x + i, lanes);
          Floats dz = load(dy + i, lanes);
          if constexpr (kMask) dz = value * load(scale + c, lanes) + load(shift + c, lanes) > 0 ? dz : Floats{};
          save(dx + i, load(a + c, lanes) * dz + (load(b + c, lanes) * value + load(d + c, lanes)), lanes);
        });
  }
}

constexpr std::int64_t larger_of(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
constexpr std::int64_t smaller_of(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

/// The positions of a window that lie inside the image: [first, last) of each axis.
struct Inside {
  std::int64_t first, last;

  Inside(std::int64_t start, int window, std::int64_t extent)
      : first(larger_of(0, -start)), last(smaller_of(window, extent - start)) {}
};

/// One row of outputs; a NaN wins, of equals the first.
template <class T>
void pool_row(const MaxPoolDesc& d, const T* image, std::int64_t p, T* y, std::uint8_t* argmax) {
  const std::int64_t top = p * d.stride - d.padding, Q = d.Q();
  const Inside rows(top, d.window, d.H);
  for (std::int64_t q = 0; q < Q; ++q) {
    const std::int64_t left = q * d.stride - d.padding;
    const Inside columns(left, d.window, d.W);
    for_lanes(
        d.C, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          Floats best = Floats{} - std::numeric_limits<float>::infinity();
          Words at = Words{} + static_cast<std::uint32_t>(rows.first * d.window + columns.first);
          for (std::int64_t r = rows.first; r < rows.last; ++r) {
            for (std::int64_t s = columns.first; s < columns.last; ++s) {
              const Floats value = load(image + ((top + r) * d.W + left + s) * d.C + c, lanes);
              const auto larger = (value > best) | (value != value);
              best = larger ? value : best;
              at = larger ? Words{} + static_cast<std::uint32_t>(r * d.window + s) : at;
            }
          }
          save(y + q * d.C + c, best, lanes);
          store_raw(argmax + q * d.C + c, narrow_to_bytes(at), lanes);
        });
  }
}

/// The outputs whose windows hold a position of an axis, [first, last), while the position goes up.
class Covering {
 public:
  Covering(const MaxPoolDesc& d, std::int64_t outputs) : d_(d), outputs_(outputs) {}

  void move_to(std::int64_t at) {
    while (last < outputs_ && start(last) <= at) ++last;
    while (first < last && start(first) + d_.window <= at) ++first;
  }
  std::int64_t first = 0, last = 0;

 private:
  std::int64_t start(std::int64_t output) const { return output * d_.stride - d_.padding; }

  const MaxPoolDesc& d_;
  std::int64_t outputs_;
};

/// One row of inputs gathers from the windows that hold it.
template <class T>
void pool_grad_row(const MaxPoolDesc& d, const T* dy, const std::uint8_t* argmax, std::int64_t h, T* dx) {
  const std::int64_t Q = d.Q();
  Covering rows(d, d.P()), columns(d, Q);
  rows.move_to(h);
  for (std::int64_t w = 0; w < d.W; ++w) {
    columns.move_to(w);
    for_lanes(
        d.C, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          Floats sum{};
          for (std::int64_t p = rows.first; p < rows.last; ++p) {
            for (std::int64_t q = columns.first; q < columns.last; ++q) {
              const auto position =
                  static_cast<std::uint32_t>((h - p * d.stride + d.padding) * d.window + w - q * d.stride + d.padding);
              const std::int64_t i = (p * Q + q) * d.C + c;
              const Words chosen = widen(load_raw<Bytes>(argmax + i, lanes));
              sum += chosen == position ? load(dy + i, lanes) : Floats{};
            }
          }
          save(dx + w * d.C + c, sum, lanes);
        });
  }
}

template <class T, class U>
constexpr NormKernels<T, U> norm_kernels() {
  return {sum_run<T>,
          {{normalize_rows<T, U, false, false>, normalize_rows<T, U, false, true>},
           {normalize_rows<T, U, true, false>, normalize_rows<T, U, true, true>}},
          {grad_sum_run<T, U, false>, grad_sum_run<T, U, true>},
          {{masked_grad_sum_run<T, U, false, false>, masked_grad_sum_run<T, U, false, true>},
           {masked_grad_sum_run<T, U, true, false>, masked_grad_sum_run<T, U, true, true>}},
          {grad_input_rows<T, U, false>, grad_input_rows<T, U, true>}};
}

}  // namespace

extern const RowKernels BARLOW_ROW_KERNELS;
constinit const RowKernels BARLOW_ROW_KERNELS = {norm_kernels<float, float>(),
                                                 norm_kernels<float, BFloat16>(),
                                                 norm_kernels<BFloat16, float>(),
                                                 norm_kernels<BFloat16, BFloat16>(),
                                                 {pool_row<float>, pool_grad_row<float>},
                                                 {pool_row<BFloat16>, pool_grad_row<BFloat16>}};

}  // namespace barlow::cpu
