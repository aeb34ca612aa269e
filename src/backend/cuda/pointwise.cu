// SPDX-License-Identifier: Apache-2.0
#include "cuda_backend.hpp"
#include "element.cuh"
#include "launch.cuh"

namespace barlow::cuda {
namespace {

template <class From, class To, int N>
__global__ void cast_kernel(std::int64_t items, const From* from, To* to) {
  for (std::int64_t item = first_item(); item < items; item += item_stride()) {
    const auto values = load<N>(from + item * N);
    Pack<To, N> result;
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = from_float<To>(to_float(values.at[i]));
    save(to + item * N, result);
  }
}

template <class T, int N>
__global__ void add_kernel(std::int64_t items, const T* x, T* y) {
  for (std::int64_t item = first_item(); item < items; item += item_stride()) {
    const auto values = load<N>(x + item * N);
    auto result = load<N>(y + item * N);
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = from_float<T>(to_float(result.at[i]) + to_float(values.at[i]));
    save(y + item * N, result);
  }
}

struct PerChannel {
  float scale[3], shift[3];
};

/// Four pixels are twelve bytes: a thread takes four values, whose channels depend on where it starts.
template <class T>
__global__ void normalize_kernel(std::int64_t items, PerChannel map, const std::uint8_t* x, T* y) {
  for (std::int64_t item = first_item(); item < items; item += item_stride()) {
    const auto bytes = load<4>(x + item * 4);
    int channel = static_cast<int>(item * 4 % 3);
    Pack<T, 4> result;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      result.at[i] = from_float<T>(fmaf(static_cast<float>(bytes.at[i]), map.scale[channel], map.shift[channel]));
      channel = channel == 2 ? 0 : channel + 1;
    }
    save(y + item * 4, result);
  }
}

template <class T>
__global__ void normalize_rest_kernel(std::int64_t first, std::int64_t count, PerChannel map, const std::uint8_t* x,
                                      T* y) {
  for (std::int64_t at = first + first_item(); at < count; at += item_stride())
    y[at] = from_float<T>(fmaf(static_cast<float>(x[at]), map.scale[at % 3], map.shift[at % 3]));
}

}  // namespace

void CudaBackend::do_cast(In from, Out to) {
  const std::int64_t count = from.num_elements();
  with_element(from.dtype, [&](auto source) {
    with_element(to.dtype, [&](auto target) {
      with_width(count, std::min(size_of(from.dtype), size_of(to.dtype)), {from, to}, [&](auto width) {
        using From = decltype(source);
        using To = decltype(target);
        constexpr int N = decltype(width)::value;
        launch(cast_kernel<From, To, N>, blocks_for(count / N), dim3(kBlock), stream(), count / N, data_of<From>(from),
               data_of<To>(to));
      });
    });
  });
}

void CudaBackend::do_add(In x, Out y) {
  const std::int64_t count = x.num_elements();
  with_element(x.dtype, [&](auto zero) {
    with_width(count, size_of(x.dtype), {x, y}, [&](auto width) {
      using T = decltype(zero);
      constexpr int N = decltype(width)::value;
      launch(add_kernel<T, N>, blocks_for(count / N), dim3(kBlock), stream(), count / N, data_of<T>(x), data_of<T>(y));
    });
  });
}

// (x/255 - mean) / std = x * 1/(255 std) - mean/std
void CudaBackend::do_normalize_images(In x, const std::array<float, 3>& mean, const std::array<float, 3>& std, Out y) {
  PerChannel map{};
  for (std::size_t c = 0; c < 3; ++c) {
    map.scale[c] = 1.0F / (255.0F * std[c]);
    map.shift[c] = -mean[c] / std[c];
  }
  const std::int64_t count = x.num_elements();
  with_element(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* bytes = data_of<std::uint8_t>(x);
    const std::int64_t in_fours = access_width(4, sizeof(std::uint8_t), {x, y}) == 4 ? count / 4 * 4 : 0;
    if (in_fours > 0)
      launch(normalize_kernel<T>, blocks_for(in_fours / 4), dim3(kBlock), stream(), in_fours / 4, map, bytes,
             data_of<T>(y));
    if (in_fours < count)
      launch(normalize_rest_kernel<T>, blocks_for(count - in_fours), dim3(kBlock), stream(), in_fours, count, map,
             bytes, data_of<T>(y));
  });
}

}  // namespace barlow::cuda
