// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <vector>

#include "cpu_backend.hpp"
#include "element.hpp"
#include "partition.hpp"

namespace barlow::cpu {
namespace {

/// Takes the larger of `best` and x channel by channel, remembering the position; a NaN wins.
template <class T>
BARLOW_MULTIVERSION void take_larger(const T* x, std::uint8_t position, float* best, std::uint8_t* argmax,
                                     std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) {
    const float value = to_float(x[c]);
    const bool larger = (value > best[c]) | (value != value);
    best[c] = larger ? value : best[c];
    argmax[c] = larger ? position : argmax[c];
  }
}

template <class T>
void pool_pixel(const MaxPoolDesc& d, const T* image, std::int64_t p, std::int64_t q, float* best, T* y,
                std::uint8_t* argmax) {
  std::fill(best, best + d.C, -std::numeric_limits<float>::infinity());
  bool first = true;
  for (int r = 0; r < d.window; ++r) {
    const std::int64_t h = p * d.stride - d.padding + r;
    if (h < 0 || h >= d.H) continue;
    for (int s = 0; s < d.window; ++s) {
      const std::int64_t w = q * d.stride - d.padding + s;
      if (w < 0 || w >= d.W) continue;
      const auto position = static_cast<std::uint8_t>(r * d.window + s);
      if (first) std::fill(argmax, argmax + d.C, position);
      first = false;
      take_larger(image + (h * d.W + w) * d.C, position, best, argmax, d.C);
    }
  }
  for (std::int64_t c = 0; c < d.C; ++c) store(y[c], best[c]);
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
    const std::int64_t P = d.P(), Q = d.Q();
    parallel_ranges(num_threads_, d.N * P, [&](Range range, int) {
      std::vector<float> best(static_cast<std::size_t>(d.C));
      for (std::int64_t row = range.first; row < range.last; ++row) {
        const T* image = data_of<T>(x) + row / P * d.H * d.W * d.C;
        for (std::int64_t q = 0; q < Q; ++q) {
          const std::int64_t offset = (row * Q + q) * d.C;
          pool_pixel(d, image, row % P, q, best.data(), data_of<T>(y) + offset, data_of<std::uint8_t>(argmax) + offset);
        }
      }
    });
  });
}

void CpuBackend::do_max_pool_grad(const MaxPoolDesc& d, In dy, In argmax, Out dx) {
  with_element(d.dtype, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t P = d.P(), Q = d.Q(), image_size = d.H * d.W * d.C;
    parallel_ranges(num_threads_, d.N, [&](Range range, int) {
      std::vector<float> sums(static_cast<std::size_t>(image_size));
      for (std::int64_t n = range.first; n < range.last; ++n) {
        std::fill(sums.begin(), sums.end(), 0.0F);
        for (std::int64_t i = 0; i < P * Q * d.C; ++i) {
          const std::int64_t at = n * P * Q * d.C + i;
          const std::int64_t c = i % d.C, q = i / d.C % Q, p = i / d.C / Q;
          const int position = data_of<std::uint8_t>(argmax)[at];
          const std::int64_t h = p * d.stride - d.padding + position / d.window;
          const std::int64_t w = q * d.stride - d.padding + position % d.window;
          sums[static_cast<std::size_t>((h * d.W + w) * d.C + c)] += to_float(data_of<T>(dy)[at]);
        }
        T* image = data_of<T>(dx) + n * image_size;
        for (std::int64_t i = 0; i < image_size; ++i) store(image[i], sums[static_cast<std::size_t>(i)]);
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
