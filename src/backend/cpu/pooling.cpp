// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <vector>

#include "cpu_backend.hpp"
#include "lanes.hpp"
#include "partition.hpp"

namespace barlow::cpu {
namespace {

/// The positions of a window that lie inside the image: [first, last) of each axis.
struct Inside {
  std::int64_t first, last;

  Inside(std::int64_t start, int window, std::int64_t extent)
      : first(std::max<std::int64_t>(0, -start)), last(std::min<std::int64_t>(window, extent - start)) {}
};

/// One row of outputs; a NaN wins, of equals the first.
template <class T>
BARLOW_MULTIVERSION void pool_row(const MaxPoolDesc& d, const T* image, std::int64_t p, T* y, std::uint8_t* argmax) {
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
          store_raw(argmax + q * d.C + c, __builtin_convertvector(at, Bytes), lanes);
        });
  }
}

/// The outputs whose windows hold position `at` of an axis: [first, last).
struct Covering {
  std::int64_t first, last;

  Covering(std::int64_t at, const MaxPoolDesc& d, std::int64_t outputs)
      : first(std::max<std::int64_t>(0, (at + d.padding - d.window) / d.stride)),
        last(std::min<std::int64_t>(outputs, (at + d.padding) / d.stride + 1)) {
    while (first < last && first * d.stride - d.padding + d.window <= at) ++first;
  }
};

/// One row of inputs gathers from the windows that hold it.
template <class T>
BARLOW_MULTIVERSION void pool_grad_row(const MaxPoolDesc& d, const T* dy, const std::uint8_t* argmax, std::int64_t h,
                                       T* dx) {
  const std::int64_t Q = d.Q();
  const Covering rows(h, d, d.P());
  for (std::int64_t w = 0; w < d.W; ++w) {
    const Covering columns(w, d, Q);
    for_lanes(
        d.C, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          Floats sum{};
          for (std::int64_t p = rows.first; p < rows.last; ++p) {
            for (std::int64_t q = columns.first; q < columns.last; ++q) {
              const auto position =
                  static_cast<std::uint32_t>((h - p * d.stride + d.padding) * d.window + w - q * d.stride + d.padding);
              const std::int64_t i = (p * Q + q) * d.C + c;
              const Words chosen = __builtin_convertvector(load_raw<Bytes>(argmax + i, lanes), Words);
              sum += chosen == position ? load(dy + i, lanes) : Floats{};
            }
          }
          save(dx + w * d.C + c, sum, lanes);
        });
  }
}

template <class T>
BARLOW_MULTIVERSION void average_image(const T* x, std::int64_t pixels, std::int64_t channels, float* sum, T* y) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < channels; ++c) sum[c] += to_float(x[p * channels + c]);
  }
  for (std::int64_t c = 0; c < channels; ++c) store(y[c], sum[c] / static_cast<float>(pixels));
}

}  // namespace

void CpuBackend::do_max_pool(const MaxPoolDesc& d, In x, Out y, Out argmax) {
  with_element(d.dtype, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t P = d.P(), row_size = d.Q() * d.C;
    parallel_ranges(num_threads_, d.N * P, [&](Range range, int) {
      for (std::int64_t row = range.first; row < range.last; ++row) {
        pool_row(d, data_of<T>(x) + row / P * d.H * d.W * d.C, row % P, data_of<T>(y) + row * row_size,
                 data_of<std::uint8_t>(argmax) + row * row_size);
      }
    });
  });
}

void CpuBackend::do_max_pool_grad(const MaxPoolDesc& d, In dy, In argmax, Out dx) {
  with_element(d.dtype, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t output_size = d.P() * d.Q() * d.C;
    parallel_ranges(num_threads_, d.N * d.H, [&](Range range, int) {
      for (std::int64_t row = range.first; row < range.last; ++row) {
        const std::int64_t image = row / d.H * output_size;
        pool_grad_row(d, data_of<T>(dy) + image, data_of<std::uint8_t>(argmax) + image, row % d.H,
                      data_of<T>(dx) + row * d.W * d.C);
      }
    });
  });
}

void CpuBackend::do_global_average_pool(In x, Out y) {
  with_element(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t pixels = x.shape[1] * x.shape[2], C = x.shape[3];
    parallel_ranges(num_threads_, x.shape[0], [&](Range range, int) {
      for (std::int64_t n = range.first; n < range.last; ++n) {
        std::vector<float> sum(static_cast<std::size_t>(C), 0.0F);
        average_image(data_of<T>(x) + n * pixels * C, pixels, C, sum.data(), data_of<T>(y) + n * C);
      }
    });
  });
}

void CpuBackend::do_global_average_pool_grad(In dy, Out dx) {
  with_element(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t pixels = dx.shape[1] * dx.shape[2], C = dx.shape[3];
    const float share = 1.0F / static_cast<float>(pixels);
    parallel_ranges(num_threads_, dx.shape[0], [&](Range range, int) {
      for (std::int64_t n = range.first; n < range.last; ++n) {
        T* first = data_of<T>(dx) + n * pixels * C;
        for (std::int64_t c = 0; c < C; ++c) store(first[c], to_float(data_of<T>(dy)[n * C + c]) * share);
        for (std::int64_t p = 1; p < pixels; ++p) std::copy(first, first + C, first + p * C);
      }
    });
  });
}

}  // namespace barlow::cpu
