// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <vector>

#include "cpu_backend.hpp"
#include "element.hpp"
#include "partition.hpp"
#include "row_kernels.hpp"

namespace barlow::cpu {
namespace {

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
        row_kernels().pool<T>().max_row(d, data_of<T>(x) + row / P * d.H * d.W * d.C, row % P,
                                        data_of<T>(y) + row * row_size, data_of<std::uint8_t>(argmax) + row * row_size);
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
        row_kernels().pool<T>().max_grad_row(d, data_of<T>(dy) + image, data_of<std::uint8_t>(argmax) + image,
                                             row % d.H, data_of<T>(dx) + row * d.W * d.C);
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
