// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cuda_backend.hpp"
#include "element.cuh"
#include "launch.cuh"

namespace barlow::cuda {
namespace {

/// N channels of one position: item number -> (n, row, column, channel) of a tensor [.., rows, columns, C].
struct Place {
  std::int64_t n, channel;
  int row, column;

  __device__ Place(std::int64_t item, int rows, int columns, std::int64_t channels, int width) {
    if (item <= UINT32_MAX) {  // a GPU divides 64 bits several times more slowly
      find(static_cast<std::uint32_t>(item), rows, columns, channels, width);
    } else {
      find(static_cast<std::uint64_t>(item), rows, columns, channels, width);
    }
  }

 private:
  template <class Number>
  __device__ void find(Number item, int rows, int columns, std::int64_t channels, int width) {
    const auto groups = static_cast<Number>(channels / width), num_columns = static_cast<Number>(columns),
               num_rows = static_cast<Number>(rows);
    channel = static_cast<std::int64_t>(item % groups) * width;
    const Number position = item / groups, line = position / num_columns;
    column = static_cast<int>(position % num_columns);
    row = static_cast<int>(line % num_rows);
    n = static_cast<std::int64_t>(line / num_rows);
  }
};

/// A NaN wins, of equals the first.
template <class T, int N>
__global__ void max_pool_kernel(MaxPoolDesc d, std::int64_t items, const T* x, T* y, std::uint8_t* argmax) {
  const int H = static_cast<int>(d.H), W = static_cast<int>(d.W);
  for (std::int64_t item = first_item(); item < items; item += item_stride()) {
    const Place out(item, static_cast<int>(d.P()), static_cast<int>(d.Q()), d.C, N);
    const int top = out.row * d.stride - d.padding, left = out.column * d.stride - d.padding;
    const int first_r = max(0, -top), last_r = min(d.window, H - top);
    const int first_s = max(0, -left), last_s = min(d.window, W - left);
    float best[N];
    Pack<std::uint8_t, N> at;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      best[i] = -INFINITY;
      at.at[i] = static_cast<std::uint8_t>(first_r * d.window + first_s);
    }
    for (int r = first_r; r < last_r; ++r) {
      for (int s = first_s; s < last_s; ++s) {
        const auto values = load<N>(x + ((out.n * H + top + r) * W + left + s) * d.C + out.channel);
#pragma unroll
        for (int i = 0; i < N; ++i) {
          const float value = to_float(values.at[i]);
          if (value > best[i] || value != value) {
            best[i] = value;
            at.at[i] = static_cast<std::uint8_t>(r * d.window + s);
          }
        }
      }
    }
    Pack<T, N> result;
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = from_float<T>(best[i]);
    save(y + item * N, result);
    save(argmax + item * N, at);
  }
}

/// The outputs along one axis whose windows hold position `at`: [first, last).
struct Covering {
  int first, last;

  __device__ Covering(int at, const MaxPoolDesc& d, int outputs) {
    const int reach = at + d.padding - d.window + 1;  // of the first window, times the stride
    first = reach > 0 ? (reach + d.stride - 1) / d.stride : 0;
    last = min(outputs, (at + d.padding) / d.stride + 1);
  }
};

/// Each input gathers from the windows that chose it.
template <class T, int N>
__global__ void max_pool_grad_kernel(MaxPoolDesc d, std::int64_t items, const T* dy, const std::uint8_t* argmax,
                                     T* dx) {
  const int P = static_cast<int>(d.P()), Q = static_cast<int>(d.Q());
  for (std::int64_t item = first_item(); item < items; item += item_stride()) {
    const Place in(item, static_cast<int>(d.H), static_cast<int>(d.W), d.C, N);
    const Covering rows(in.row, d, P), columns(in.column, d, Q);
    float sum[N] = {};
    for (int p = rows.first; p < rows.last; ++p) {
      for (int q = columns.first; q < columns.last; ++q) {
        const int position = (in.row - p * d.stride + d.padding) * d.window + in.column - q * d.stride + d.padding;
        const std::int64_t at = ((in.n * P + p) * Q + q) * d.C + in.channel;
        const auto chosen = load<N>(argmax + at);
        const auto gradients = load<N>(dy + at);
#pragma unroll
        for (int i = 0; i < N; ++i) {
          if (chosen.at[i] == position) sum[i] += to_float(gradients.at[i]);
        }
      }
    }
    Pack<T, N> result;
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = from_float<T>(sum[i]);
    save(dx + item * N, result);
  }
}

/// Each thread averages N channels of an image.
template <class T, int N>
__global__ void average_kernel(std::int64_t items, std::int64_t pixels, std::int64_t channels, const T* x, T* y) {
  for (std::int64_t item = first_item(); item < items; item += item_stride()) {
    const std::int64_t at = item * N;
    const T* image = x + at / channels * pixels * channels + at % channels;
    float sum[N] = {};
    for (std::int64_t p = 0; p < pixels; ++p) {
      const auto values = load<N>(image + p * channels);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += to_float(values.at[i]);
    }
    Pack<T, N> result;
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = from_float<T>(sum[i] / static_cast<float>(pixels));
    save(y + at, result);
  }
}

template <class T, int N>
__global__ void average_grad_kernel(std::int64_t items, std::int64_t pixels, std::int64_t channels, const T* dy,
                                    T* dx) {
  const float share = 1.0F / static_cast<float>(pixels);
  for (std::int64_t item = first_item(); item < items; item += item_stride()) {
    const std::int64_t at = item * N;
    const auto gradients = load<N>(dy + at / (pixels * channels) * channels + at % channels);
    Pack<T, N> result;
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = from_float<T>(to_float(gradients.at[i]) * share);
    save(dx + at, result);
  }
}

}  // namespace

void CudaBackend::do_max_pool(const MaxPoolDesc& d, In x, Out y, Out argmax) {
  with_element(d.dtype, [&](auto zero) {
    with_width(d.C, size_of(d.dtype), {x, y, argmax}, [&](auto width) {
      using T = decltype(zero);
      constexpr int N = decltype(width)::value;
      const std::int64_t items = y.num_elements() / N;
      launch(max_pool_kernel<T, N>, blocks_for(items), dim3(kBlock), stream(), d, items, data_of<T>(x), data_of<T>(y),
             data_of<std::uint8_t>(argmax));
    });
  });
}

void CudaBackend::do_max_pool_grad(const MaxPoolDesc& d, In dy, In argmax, Out dx) {
  with_element(d.dtype, [&](auto zero) {
    with_width(d.C, size_of(d.dtype), {dy, argmax, dx}, [&](auto width) {
      using T = decltype(zero);
      constexpr int N = decltype(width)::value;
      const std::int64_t items = dx.num_elements() / N;
      launch(max_pool_grad_kernel<T, N>, blocks_for(items), dim3(kBlock), stream(), d, items, data_of<T>(dy),
             data_of<std::uint8_t>(argmax), data_of<T>(dx));
    });
  });
}

void CudaBackend::do_global_average_pool(In x, Out y) {
  with_element(x.dtype, [&](auto zero) {
    with_width(x.shape[3], size_of(x.dtype), {x, y}, [&](auto width) {
      using T = decltype(zero);
      constexpr int N = decltype(width)::value;
      const std::int64_t items = y.num_elements() / N;
      launch(average_kernel<T, N>, blocks_for(items), dim3(kBlock), stream(), items, x.shape[1] * x.shape[2],
             x.shape[3], data_of<T>(x), data_of<T>(y));
    });
  });
}

void CudaBackend::do_global_average_pool_grad(In dy, Out dx) {
  with_element(dx.dtype, [&](auto zero) {
    with_width(dx.shape[3], size_of(dx.dtype), {dy, dx}, [&](auto width) {
      using T = decltype(zero);
      constexpr int N = decltype(width)::value;
      const std::int64_t items = dx.num_elements() / N;
      launch(average_grad_kernel<T, N>, blocks_for(items), dim3(kBlock), stream(), items, dx.shape[1] * dx.shape[2],
             dx.shape[3], data_of<T>(dy), data_of<T>(dx));
    });
  });
}

}  // namespace barlow::cuda
