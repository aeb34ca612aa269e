// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu_backend.hpp"
#include "lanes.hpp"
#include "partition.hpp"

namespace barlow::cpu {
namespace {

// Rows summed in f32 before they are folded into f64: short enough that rounding stays far below f32's own.
constexpr std::int64_t kRun = 64;

/// Per channel, in f32 or f64: what one view's rows need.
struct Channels {
  const float *mean, *inv_std, *gamma, *beta;  ///< gamma and beta may be null
};

/// The affine map of one view, y = scale * x + shift.
struct Affine {
  std::vector<float> scale, shift;

  Affine(const Channels& c, std::int64_t count) : scale(static_cast<std::size_t>(count)), shift(scale.size()) {
    for (std::size_t i = 0; i < scale.size(); ++i) {
      scale[i] = c.inv_std[i] * (c.gamma != nullptr ? c.gamma[i] : 1.0F);
      shift[i] = (c.beta != nullptr ? c.beta[i] : 0.0F) - c.mean[i] * scale[i];
    }
  }
};

Channels channels_of_view(const BatchNormDesc& desc, std::int64_t view, ConstTensorView mean, ConstTensorView inv_std,
                          ConstTensorView gamma, ConstTensorView beta) {
  return {data_of<float>(mean) + view * desc.channels, data_of<float>(inv_std) + view * desc.channels,
          data_of<float>(gamma), data_of<float>(beta)};
}

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

/// Sums of x and of x^2, in f64 throughout: the variance is their difference, which cancels where the mean is large.
/// Four rows at a time share one pass over the sums.
template <class T>
BARLOW_MULTIVERSION void sum_run(const T* x, std::int64_t rows, std::int64_t channels, double* sum, double* square) {
  std::int64_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    const T* first = x + row * channels;
    std::int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      Doubles low_sum{}, high_sum{}, low_square{}, high_square{};
      for (int r = 0; r < 4; ++r) {
        const Floats v = load(first + r * channels + c, AllLanes{});
        const Doubles low = low_half(v), high = high_half(v);
        low_sum += low;
        high_sum += high;
        low_square += low * low;
        high_square += high * high;
      }
      add_to(sum + c, low_sum);
      add_to(sum + c + 8, high_sum);
      add_to(square + c, low_square);
      add_to(square + c + 8, high_square);
    }
    for (int r = 0; r < 4; ++r) sum_columns(first + r * channels, c, channels, sum, square);
  }
  for (; row < rows; ++row) sum_columns(x + row * channels, 0, channels, sum, square);
}

template <class T, class U, bool kRelu, bool kResidual>
BARLOW_MULTIVERSION void normalize_rows(const T* x, const U* residual, const float* scale, const float* shift, U* y,
                                        std::int64_t rows, std::int64_t channels) {
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

/// Without residual: sums of dz and dz * (x - mean), the mask from x.
template <class T, class U, bool kRelu>
BARLOW_MULTIVERSION void grad_sum_run(const T* x, const U* dy, const float* mean, const float* scale,
                                      const float* shift, std::int64_t rows, std::int64_t channels, float* sum,
                                      float* dot) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for_lanes(
        channels, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          const std::int64_t i = row * channels + c;
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
BARLOW_MULTIVERSION void masked_grad_sum_run(const T* x, const U* y, U* dy, const U* extra, const float* mean,
                                             std::int64_t rows, std::int64_t channels, float* sum, float* dot) {
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
BARLOW_MULTIVERSION void grad_input_rows(const T* x, const U* dy, const float* scale, const float* shift,
                                         const float* a, const float* b, const float* d, T* dx, std::int64_t rows,
                                         std::int64_t channels) {
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

/// Two f64 sums per view and channel over rows: `run(view, rows of this thread, sum, other)` adds its rows to them.
/// Threads' parts are added in the order of their numbers.
template <class Run>
void reduce_rows(const BatchNormDesc& desc, int num_threads, double* sums, Run&& run) {
  const auto C = static_cast<std::size_t>(desc.channels);
  const std::size_t size = static_cast<std::size_t>(desc.views) * 2 * C;
  std::vector<double> parts(static_cast<std::size_t>(num_threads) * size, 0.0);
  parallel_ranges(num_threads, desc.rows, [&](Range range, int thread) {
    for (std::int64_t view = 0; view < desc.views; ++view) {
      double* part = parts.data() + static_cast<std::size_t>(thread) * size + static_cast<std::size_t>(view) * 2 * C;
      run(view, range, part, part + C);
    }
  });
  std::fill(sums, sums + size, 0.0);
  for (std::size_t thread = 0; thread < static_cast<std::size_t>(num_threads); ++thread) {
    for (std::size_t i = 0; i < size; ++i) sums[i] += parts[thread * size + i];
  }
}

/// Cuts a thread's rows into runs short enough for f32 sums, `run(first_row, rows, sum, other)`, and adds these up in
/// f64.
template <class Run>
void reduce_in_runs(Range range, std::int64_t channels, double* sum, double* other, Run&& run) {
  const auto C = static_cast<std::size_t>(channels);
  std::vector<float> partial(2 * C);
  for (std::int64_t first = range.first; first < range.last; first += kRun) {
    std::fill(partial.begin(), partial.end(), 0.0F);
    run(first, std::min(kRun, range.last - first), partial.data(), partial.data() + C);
    for (std::size_t c = 0; c < C; ++c) {
      sum[c] += static_cast<double>(partial[c]);
      other[c] += static_cast<double>(partial[C + c]);
    }
  }
}

/// Calls f(view, first_row, rows) on every thread for its share of each view.
template <class F>
void for_each_view(const BatchNormDesc& desc, int num_threads, F&& f) {
  parallel_ranges(num_threads, desc.rows, [&](Range range, int) {
    for (std::int64_t view = 0; view < desc.views; ++view) f(view, range.first, range.last - range.first);
  });
}

}  // namespace

void CpuBackend::do_batch_norm_sums(const BatchNormDesc& desc, In x, Out sums) {
  with_element(desc.dtype, [&](auto zero) {
    using T = decltype(zero);
    reduce_rows(desc, num_threads_, data_of<double>(sums),
                [&](std::int64_t view, Range range, double* sum, double* square) {
                  sum_run(data_of<T>(x) + (view * desc.rows + range.first) * desc.channels, range.last - range.first,
                          desc.channels, sum, square);
                });
  });
}

void CpuBackend::do_batch_norm_statistics(In sums, double count, float eps, float momentum, Out mean, Out inv_std,
                                          Out running_mean, Out running_var) {
  const std::int64_t views = sums.shape[0], C = sums.shape[2];
  const auto* values = data_of<double>(sums);
  for (std::int64_t view = 0; view < views; ++view) {
    for (std::int64_t c = 0; c < C; ++c) {
      const double average = values[2 * view * C + c] / count;
      const double square = values[(2 * view + 1) * C + c] / count;
      const double difference = square - average * average;
      const double variance = difference < 0 ? 0 : difference;  // rounding; a NaN passes
      data_of<float>(mean)[view * C + c] = static_cast<float>(average);
      data_of<float>(inv_std)[view * C + c] = static_cast<float>(1 / std::sqrt(variance + static_cast<double>(eps)));
      if (!running_mean) continue;
      const double unbiased = variance * (count / std::max(1.0, count - 1));
      float& old_mean = data_of<float>(running_mean)[c];
      float& old_var = data_of<float>(running_var)[c];
      old_mean = static_cast<float>((1 - static_cast<double>(momentum)) * old_mean + momentum * average);
      old_var = static_cast<float>((1 - static_cast<double>(momentum)) * old_var + momentum * unbiased);
    }
  }
}

void CpuBackend::do_batch_norm_inference_statistics(In running_mean, In running_var, float eps, Out mean, Out inv_std) {
  for (std::int64_t c = 0; c < running_mean.num_elements(); ++c) {
    data_of<float>(mean)[c] = data_of<float>(running_mean)[c];
    data_of<float>(inv_std)[c] = 1.0F / std::sqrt(data_of<float>(running_var)[c] + eps);
  }
}

void CpuBackend::do_batch_normalize(const BatchNormDesc& desc, In x, In mean, In inv_std, In gamma, In beta,
                                    In residual, Out y) {
  std::vector<Affine> affine;
  for (std::int64_t view = 0; view < desc.views; ++view) {
    affine.emplace_back(channels_of_view(desc, view, mean, inv_std, gamma, beta), desc.channels);
  }
  with_element(desc.dtype, [&](auto in) {
    with_element(desc.y_dtype, [&](auto out) {
      using T = decltype(in);
      using U = decltype(out);
      const auto rows_kernel =
          desc.relu ? (desc.residual ? normalize_rows<T, U, true, true> : normalize_rows<T, U, true, false>)
                    : (desc.residual ? normalize_rows<T, U, false, true> : normalize_rows<T, U, false, false>);
      for_each_view(desc, num_threads_, [&](std::int64_t view, std::int64_t first, std::int64_t rows) {
        const std::int64_t offset = (view * desc.rows + first) * desc.channels;
        const Affine& map = affine[static_cast<std::size_t>(view)];
        rows_kernel(data_of<T>(x) + offset, desc.residual ? data_of<U>(residual) + offset : nullptr, map.scale.data(),
                    map.shift.data(), data_of<U>(y) + offset, rows, desc.channels);
      });
    });
  });
}

void CpuBackend::do_batch_norm_grad_sums(const BatchNormDesc& desc, In x, In y, In mean, In inv_std, In gamma, In beta,
                                         Out dy, In dy_extra, Out sums, Out dgamma, Out dbeta) {
  const std::int64_t C = desc.channels;
  with_element(desc.dtype, [&](auto in) {
    with_element(desc.y_dtype, [&](auto out) {
      using T = decltype(in);
      using U = decltype(out);
      std::vector<Affine> affine;
      for (std::int64_t view = 0; view < desc.views; ++view)
        affine.emplace_back(channels_of_view(desc, view, mean, inv_std, gamma, beta), C);
      const bool extra = static_cast<bool>(dy_extra);
      const auto masked =
          desc.relu ? (extra ? masked_grad_sum_run<T, U, true, true> : masked_grad_sum_run<T, U, true, false>)
                    : (extra ? masked_grad_sum_run<T, U, false, true> : masked_grad_sum_run<T, U, false, false>);
      const auto plain = desc.relu ? grad_sum_run<T, U, true> : grad_sum_run<T, U, false>;
      reduce_rows(desc, num_threads_, data_of<double>(sums),
                  [&](std::int64_t view, Range range, double* sum, double* dot) {
                    const float* center = data_of<float>(mean) + view * C;
                    const Affine& map = affine[static_cast<std::size_t>(view)];
                    reduce_in_runs(
                        range, C, sum, dot, [&](std::int64_t first, std::int64_t rows, float* run_sum, float* run_dot) {
                          const std::int64_t at = (view * desc.rows + first) * C;
                          if (desc.residual) {
                            masked(data_of<T>(x) + at, data_of<U>(y) + at, data_of<U>(dy) + at,
                                   extra ? data_of<U>(dy_extra) + at : nullptr, center, rows, C, run_sum, run_dot);
                          } else {
                            plain(data_of<T>(x) + at, data_of<U>(dy) + at, center, map.scale.data(), map.shift.data(),
                                  rows, C, run_sum, run_dot);
                          }
                        });
                  });
    });
  });
  auto* values = data_of<double>(sums);
  for (std::int64_t c = 0; c < C; ++c) {
    double scale_gradient = 0, shift_gradient = 0;
    for (std::int64_t view = 0; view < desc.views; ++view) {
      double& dot = values[(2 * view + 1) * C + c];
      dot *= data_of<float>(inv_std)[view * C + c];
      shift_gradient += values[2 * view * C + c];
      scale_gradient += dot;
    }
    if (dgamma) data_of<float>(dgamma)[c] = static_cast<float>(scale_gradient);
    if (dbeta) data_of<float>(dbeta)[c] = static_cast<float>(shift_gradient);
  }
}

// With xhat = (x - mean) inv_std and g = gamma inv_std:
//   dx = g dz - g mean(dz) - g xhat mean(dz xhat) = a dz + b x + d,
//   a = g, b = -g inv_std mean(dz xhat), d = -g mean(dz) - b mean.
void CpuBackend::do_batch_norm_grad_input(const BatchNormDesc& desc, In x, In mean, In inv_std, In gamma, In beta,
                                          In dy, In sums, double count, Out dx) {
  const auto C = static_cast<std::size_t>(desc.channels);
  struct Coefficients {
    std::vector<float> a, b, d;
  };
  std::vector<Coefficients> coefficients;
  std::vector<Affine> affine;
  for (std::int64_t view = 0; view < desc.views; ++view) {
    const Channels channels = channels_of_view(desc, view, mean, inv_std, gamma, beta);
    affine.emplace_back(channels, desc.channels);
    Coefficients k{std::vector<float>(C), std::vector<float>(C), std::vector<float>(C)};
    const double* sum = data_of<double>(sums) + 2 * static_cast<std::size_t>(view) * C;
    for (std::size_t c = 0; c < C; ++c) {
      const double g =
          static_cast<double>(channels.inv_std[c]) * (channels.gamma != nullptr ? channels.gamma[c] : 1.0F);
      const double slope = -g * channels.inv_std[c] * (sum[C + c] / count);
      k.a[c] = static_cast<float>(g);
      k.b[c] = static_cast<float>(slope);
      k.d[c] = static_cast<float>(-g * (sum[c] / count) - slope * channels.mean[c]);
    }
    coefficients.push_back(std::move(k));
  }
  with_element(desc.dtype, [&](auto in) {
    with_element(desc.y_dtype, [&](auto out) {
      using T = decltype(in);
      using U = decltype(out);
      const auto kernel = desc.relu && !desc.residual ? grad_input_rows<T, U, true> : grad_input_rows<T, U, false>;
      for_each_view(desc, num_threads_, [&](std::int64_t view, std::int64_t first, std::int64_t rows) {
        const std::int64_t offset = (view * desc.rows + first) * desc.channels;
        const Affine& map = affine[static_cast<std::size_t>(view)];
        const Coefficients& k = coefficients[static_cast<std::size_t>(view)];
        kernel(data_of<T>(x) + offset, data_of<U>(dy) + offset, map.scale.data(), map.shift.data(), k.a.data(),
               k.b.data(), k.d.data(), data_of<T>(dx) + offset, rows, desc.channels);
      });
    });
  });
}

}  // namespace barlow::cpu
