// SPDX-License-Identifier: Apache-2.0
// Batch norm: memory-bound passes over [V,rows,C]. What a channel needs is loaded once per thread; rows stream by.
#include "cuda_backend.hpp"
#include "reduce_rows.cuh"
#include "row_position.cuh"

namespace barlow::cuda {
namespace {

/// Per view and channel, f32; gamma and beta may be null.
struct Parameters {
  const float *mean, *inv_std, *gamma, *beta;
  std::int64_t channels;

  Parameters(const BatchNormDesc& desc, const BatchNormMap& norm)
      : mean(data_of<float>(norm.mean)),
        inv_std(data_of<float>(norm.inv_std)),
        gamma(data_of<float>(norm.gamma)),
        beta(data_of<float>(norm.beta)),
        channels(desc.channels) {}
  __device__ float scale(int view, std::int64_t c) const {
    return inv_std[view * channels + c] * (gamma != nullptr ? gamma[c] : 1.0F);
  }
  __device__ float shift(int view, std::int64_t c) const {
    return (beta != nullptr ? beta[c] : 0.0F) - mean[view * channels + c] * scale(view, c);
  }
};

/// y = scale x + shift of N channels; also the ReLU's mask without a residual.
template <int N>
struct Affine {
  float scale[N], shift[N];

  __device__ Affine(const Parameters& p, int view, std::int64_t channel) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      scale[i] = p.scale(view, channel + i);
      shift[i] = p.shift(view, channel + i);
    }
  }
  __device__ float operator()(int i, float x) const { return fmaf(x, scale[i], shift[i]); }
};

struct Nothing {};

/// What kernels read of one row: x and one tensor more.
template <class T, class U, int N>
struct Both {
  Pack<T, N> x;
  Pack<U, N> other;
};

/// Sums of x and x^2. The variance is their difference, which cancels where the mean is large: f64 throughout.
template <class T, int N>
struct MomentRows {
  const T* x;

  static constexpr int kTogether = 8;
  __device__ Nothing constants(int, std::int64_t) const { return {}; }
  __device__ Pack<T, N> read(std::int64_t at) const { return load<N>(x + at); }
  template <int kRows>
  __device__ void add(Nothing, const Pack<T, N> (&rows)[kRows], std::int64_t, std::int64_t, double* sum,
                      double* square) const {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      double part = 0, part_square = 0;
#pragma unroll
      for (const auto& values : rows) {
        const double value = to_float(values.at[i]);
        part += value;
        part_square += value * value;
      }
      sum[i] += part;
      square[i] += part_square;
    }
  }
};

/// Sums of dz and dz (x - mean) without a residual: the mask from x.
template <class T, class U, int N, bool kRelu>
struct GradRows {
  const T* x;
  const U* dy;
  Parameters parameters;

  static constexpr int kTogether = 4;
  struct Constants {
    Affine<N> affine;
    float mean[N];
  };
  __device__ Constants constants(int view, std::int64_t channel) const {
    Constants constants{Affine<N>(parameters, view, channel), {}};
#pragma unroll
    for (int i = 0; i < N; ++i) constants.mean[i] = parameters.mean[view * parameters.channels + channel + i];
    return constants;
  }
  __device__ Both<T, U, N> read(std::int64_t at) const { return {load<N>(x + at), load<N>(dy + at)}; }
  template <int kRows>
  __device__ void add(const Constants& k, const Both<T, U, N> (&rows)[kRows], std::int64_t, std::int64_t, double* sum,
                      double* dot) const {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      float part = 0, part_dot = 0;  // of so few rows, f32 loses about as much as in rounding one term
#pragma unroll
      for (const auto& row : rows) {
        const float value = to_float(row.x.at[i]);
        float dz = to_float(row.other.at[i]);
        if (kRelu && !(k.affine(i, value) > 0)) dz = 0;
        part += dz;
        part_dot = fmaf(dz, value - k.mean[i], part_dot);
      }
      sum[i] += part;
      dot[i] += part_dot;
    }
  }
};

/// The same with a residual: the mask from y, and dz (with dy_extra added) is written over dy.
template <class T, class U, int N, bool kRelu, bool kExtra>
struct MaskedGradRows {
  const T* x;
  const U* y;
  U* dy;
  const U* extra;
  const float* mean;
  std::int64_t channels;

  static constexpr int kTogether = 2;
  struct Constants {
    float mean[N];
  };
  struct Row {
    Pack<T, N> x;
    Pack<U, N> dy, y, extra;
  };
  __device__ Constants constants(int view, std::int64_t channel) const {
    Constants constants;
#pragma unroll
    for (int i = 0; i < N; ++i) constants.mean[i] = mean[view * channels + channel + i];
    return constants;
  }
  __device__ Row read(std::int64_t at) const {
    Row row{load<N>(x + at), load<N>(dy + at), {}, {}};
    if constexpr (kRelu) row.y = load<N>(y + at);
    if constexpr (kExtra) row.extra = load<N>(extra + at);
    return row;
  }
  template <int kRows>
  __device__ void add(const Constants& k, const Row (&rows)[kRows], std::int64_t at, std::int64_t stride, double* sum,
                      double* dot) const {
    Pack<U, N> results[kRows];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      float part = 0, part_dot = 0;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        float dz = to_float(rows[r].dy.at[i]);
        if constexpr (kExtra) dz += to_float(rows[r].extra.at[i]);
        if constexpr (kRelu) dz = to_float(rows[r].y.at[i]) > 0 ? dz : 0;
        results[r].at[i] = from_float<U>(dz);
        dz = to_float(results[r].at[i]);
        part += dz;
        part_dot = fmaf(dz, to_float(rows[r].x.at[i]) - k.mean[i], part_dot);
      }
      sum[i] += part;
      dot[i] += part_dot;
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) save(dy + at + r * stride, results[r]);
  }
};

/// sum dz (x - mean) becomes sum dz xhat; the parameters' gradients are the sums over views.
struct FinishGradients {
  const float* inv_std;
  float *dgamma, *dbeta;  ///< may be null
  int views;
  std::int64_t channels;

  __device__ void operator()(std::int64_t channel, double* sums) const {
    double scale = 0, shift = 0;
    for (int view = 0; view < views; ++view) {
      double& dot = sums[(2 * view + 1) * channels + channel];
      dot *= inv_std[view * channels + channel];
      shift += sums[2 * view * channels + channel];
      scale += dot;
    }
    if (dgamma != nullptr) dgamma[channel] = static_cast<float>(scale);
    if (dbeta != nullptr) dbeta[channel] = static_cast<float>(shift);
  }
};

__global__ void statistics_kernel(const double* sums, int views, std::int64_t channels, double count, float eps,
                                  float momentum, float* mean, float* inv_std, float* running_mean,
                                  float* running_var) {
  const std::int64_t c = first_item();
  if (c >= channels) return;
  for (int view = 0; view < views; ++view) {
    const double average = sums[2 * view * channels + c] / count;
    const double difference = sums[(2 * view + 1) * channels + c] / count - average * average;
    const double variance = difference < 0 ? 0 : difference;  // rounding; a NaN passes
    mean[view * channels + c] = static_cast<float>(average);
    inv_std[view * channels + c] = static_cast<float>(1 / sqrt(variance + static_cast<double>(eps)));
    if (running_mean == nullptr) continue;
    const double unbiased = variance * (count / fmax(1.0, count - 1)), keep = 1 - static_cast<double>(momentum);
    running_mean[c] = static_cast<float>(keep * running_mean[c] + momentum * average);
    running_var[c] = static_cast<float>(keep * running_var[c] + momentum * unbiased);
  }
}

__global__ void inference_statistics_kernel(const float* running_mean, const float* running_var, float eps,
                                            std::int64_t channels, float* mean, float* inv_std) {
  const std::int64_t c = first_item();
  if (c >= channels) return;
  mean[c] = running_mean[c];
  inv_std[c] = 1.0F / sqrtf(running_var[c] + eps);
}

template <class T, class U, int N, bool kRelu, bool kResidual>
__global__ void __launch_bounds__(kBlock)
    normalize_kernel(RowGrid grid, Parameters parameters, const T* x, const U* residual, U* y) {
  const RowPosition p(grid);
  if (p.channel >= grid.channels) return;
  const Affine<N> affine(parameters, p.view, p.channel);
  const auto read = [&](std::int64_t at) {
    Both<T, U, N> row{load<N>(x + at), {}};
    if constexpr (kResidual) row.other = load<N>(residual + at);
    return row;
  };
  for_rows<kResidual ? 2 : 4>(grid, p, read, [&](const auto& rows, std::int64_t at, std::int64_t stride) {
#pragma unroll
    for (const auto& row : rows) {
      Pack<U, N> result;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        float value = affine(i, to_float(row.x.at[i]));
        if constexpr (kResidual) value += to_float(row.other.at[i]);
        if constexpr (kRelu) value = value < 0 ? 0 : value;  // a NaN passes
        result.at[i] = from_float<U>(value);
      }
      save(y + at, result);
      at += stride;
    }
  });
}

// With xhat = (x - mean) inv_std and g = gamma inv_std:
//   dx = g dz - g mean(dz) - g xhat mean(dz xhat) = g dz + b x + d,
//   b = -g inv_std mean(dz xhat), d = -g mean(dz) - b mean.
template <class T, class U, int N, bool kMask>
__global__ void __launch_bounds__(kBlock) grad_input_kernel(RowGrid grid, Parameters parameters, const double* sums,
                                                            double count, const T* x, const U* dy, T* dx) {
  const RowPosition p(grid);
  if (p.channel >= grid.channels) return;
  const Affine<N> affine(parameters, p.view, p.channel);
  const double share = 1 / count;
  float b[N], d[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const std::int64_t c = p.channel + i, at = p.view * grid.channels + c;
    const double g = affine.scale[i];
    const double slope = -g * parameters.inv_std[at] * (sums[(2 * p.view + 1) * grid.channels + c] * share);
    b[i] = static_cast<float>(slope);
    d[i] = static_cast<float>(-g * (sums[2 * p.view * grid.channels + c] * share) - slope * parameters.mean[at]);
  }
  const auto read = [&](std::int64_t at) { return Both<T, U, N>{load<N>(x + at), load<N>(dy + at)}; };
  for_rows<2>(grid, p, read, [&](const auto& rows, std::int64_t at, std::int64_t stride) {
#pragma unroll
    for (const auto& row : rows) {
      Pack<T, N> result;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float value = to_float(row.x.at[i]);
        float dz = to_float(row.other.at[i]);
        if (kMask && !(affine(i, value) > 0)) dz = 0;
        result.at[i] = from_float<T>(fmaf(affine.scale[i], dz, fmaf(b[i], value, d[i])));
      }
      save(dx + at, result);
      at += stride;
    }
  });
}

template <bool kValue>
using Flag = std::integral_constant<bool, kValue>;
/// Calls f with the flag as a type.
template <class F>
void with_flag(bool flag, F&& f) {
  if (flag) {
    f(Flag<true>{});
  } else {
    f(Flag<false>{});
  }
}

/// Calls f(zero of x's type, zero of y's type, width).
template <class F>
void with_types(const BatchNormDesc& desc, std::initializer_list<ConstTensorView> tensors, F&& f) {
  const std::size_t smaller = std::min(size_of(desc.dtype), size_of(desc.y_dtype));
  with_element(desc.dtype, [&](auto in) {
    with_element(desc.y_dtype, [&](auto out) {
      with_width(desc.channels, smaller, tensors, [&](auto width) { f(in, out, width); });
    });
  });
}

}  // namespace

void CudaBackend::do_batch_norm_sums(const BatchNormDesc& desc, In x, Out sums) {
  with_element(desc.dtype, [&](auto zero) {
    with_width(desc.channels, size_of(desc.dtype), {x}, [&](auto width) {
      using T = decltype(zero);
      constexpr int N = decltype(width)::value;
      sum_rows<N>(summing_grid(desc.views, desc.rows, desc.channels, N), desc.views, MomentRows<T, N>{data_of<T>(x)},
                  NothingMore{}, parts(), data_of<double>(sums), stream());
    });
  });
}

void CudaBackend::do_batch_norm_statistics(In sums, double count, float eps, float momentum, Out mean, Out inv_std,
                                           Out running_mean, Out running_var) {
  const std::int64_t C = sums.shape[2];
  launch(statistics_kernel, blocks_for(C), dim3(kBlock), stream(), data_of<double>(sums),
         static_cast<int>(sums.shape[0]), C, count, eps, momentum, data_of<float>(mean), data_of<float>(inv_std),
         data_of<float>(running_mean), data_of<float>(running_var));
}

void CudaBackend::do_batch_norm_inference_statistics(In running_mean, In running_var, float eps, Out mean,
                                                     Out inv_std) {
  const std::int64_t C = running_mean.num_elements();
  launch(inference_statistics_kernel, blocks_for(C), dim3(kBlock), stream(), data_of<float>(running_mean),
         data_of<float>(running_var), eps, C, data_of<float>(mean), data_of<float>(inv_std));
}

void CudaBackend::do_batch_normalize(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In residual, Out y) {
  const Parameters parameters(desc, norm);
  with_types(desc, {x, residual, y}, [&](auto in, auto out, auto width) {
    using T = decltype(in);
    using U = decltype(out);
    constexpr int N = decltype(width)::value;
    const RowGrid grid = streaming_grid(desc.views, desc.rows, desc.channels, N);
    with_flag(desc.relu, [&](auto relu) {
      with_flag(static_cast<bool>(residual), [&](auto added) {
        launch(normalize_kernel<T, U, N, decltype(relu)::value, decltype(added)::value>, blocks_of(grid, desc.views),
               threads_of(grid), stream(), grid, parameters, data_of<T>(x), data_of<U>(residual), data_of<U>(y));
      });
    });
  });
}

void CudaBackend::do_batch_norm_grad_sums(const BatchNormDesc& desc, In x, In y, const BatchNormMap& norm, Out dy,
                                          In dy_extra, Out sums, Out dgamma, Out dbeta) {
  const Parameters parameters(desc, norm);
  const FinishGradients finish{data_of<float>(norm.inv_std), data_of<float>(dgamma), data_of<float>(dbeta),
                               static_cast<int>(desc.views), desc.channels};
  with_types(desc, {x, y, dy, dy_extra}, [&](auto in, auto out, auto width) {
    using T = decltype(in);
    using U = decltype(out);
    constexpr int N = decltype(width)::value;
    const auto sum = [&](auto rows) {
      sum_rows<N>(summing_grid(desc.views, desc.rows, desc.channels, N), desc.views, rows, finish, parts(),
                  data_of<double>(sums), stream());
    };
    with_flag(desc.relu, [&](auto relu) {
      constexpr bool kRelu = decltype(relu)::value;
      if (!desc.residual) {
        sum(GradRows<T, U, N, kRelu>{data_of<T>(x), data_of<U>(ConstTensorView(dy)), parameters});
        return;
      }
      with_flag(static_cast<bool>(dy_extra), [&](auto extra) {
        sum(MaskedGradRows<T, U, N, kRelu, decltype(extra)::value>{
            data_of<T>(x), data_of<U>(y), data_of<U>(dy), data_of<U>(dy_extra), parameters.mean, desc.channels});
      });
    });
  });
}

void CudaBackend::do_batch_norm_grad_input(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In dy, In sums,
                                           double count, Out dx) {
  const Parameters parameters(desc, norm);
  with_types(desc, {x, dy, dx}, [&](auto in, auto out, auto width) {
    using T = decltype(in);
    using U = decltype(out);
    constexpr int N = decltype(width)::value;
    const RowGrid grid = streaming_grid(desc.views, desc.rows, desc.channels, N);
    with_flag(desc.relu && !desc.residual, [&](auto mask) {
      launch(grad_input_kernel<T, U, N, decltype(mask)::value>, blocks_of(grid, desc.views), threads_of(grid), stream(),
             grid, parameters, data_of<double>(sums), count, data_of<T>(x), data_of<U>(dy), data_of<T>(dx));
    });
  });
}

}  // namespace barlow::cuda
