// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu_backend.hpp"
#include "partition.hpp"
#include "row_kernels.hpp"

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

Channels channels_of_view(const BatchNormDesc& desc, std::int64_t view, const BatchNormMap& norm) {
  return {data_of<float>(norm.mean) + view * desc.channels, data_of<float>(norm.inv_std) + view * desc.channels,
          data_of<float>(norm.gamma), data_of<float>(norm.beta)};
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
                  row_kernels().norm<T, float>().sums(data_of<T>(x) + (view * desc.rows + range.first) * desc.channels,
                                                      range.last - range.first, desc.channels, sum, square);
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

void CpuBackend::do_batch_normalize(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In residual, Out y) {
  std::vector<Affine> affine;
  for (std::int64_t view = 0; view < desc.views; ++view) {
    affine.emplace_back(channels_of_view(desc, view, norm), desc.channels);
  }
  with_element(desc.dtype, [&](auto in) {
    with_element(desc.y_dtype, [&](auto out) {
      using T = decltype(in);
      using U = decltype(out);
      const auto rows_kernel = row_kernels().norm<T, U>().normalize[desc.relu][desc.residual];
      for_each_view(desc, num_threads_, [&](std::int64_t view, std::int64_t first, std::int64_t rows) {
        const std::int64_t offset = (view * desc.rows + first) * desc.channels;
        const Affine& map = affine[static_cast<std::size_t>(view)];
        rows_kernel(data_of<T>(x) + offset, desc.residual ? data_of<U>(residual) + offset : nullptr, map.scale.data(),
                    map.shift.data(), data_of<U>(y) + offset, rows, desc.channels);
      });
    });
  });
}

void CpuBackend::do_batch_norm_grad_sums(const BatchNormDesc& desc, In x, In y, const BatchNormMap& norm, Out dy,
                                         In dy_extra, Out sums, Out dgamma, Out dbeta) {
  const std::int64_t C = desc.channels;
  with_element(desc.dtype, [&](auto in) {
    with_element(desc.y_dtype, [&](auto out) {
      using T = decltype(in);
      using U = decltype(out);
      std::vector<Affine> affine;
      for (std::int64_t view = 0; view < desc.views; ++view) affine.emplace_back(channels_of_view(desc, view, norm), C);
      const bool extra = static_cast<bool>(dy_extra);
      const auto masked = row_kernels().norm<T, U>().masked_grad_sums[desc.relu][extra];
      const auto plain = row_kernels().norm<T, U>().grad_sums[desc.relu];
      reduce_rows(desc, num_threads_, data_of<double>(sums),
                  [&](std::int64_t view, Range range, double* sum, double* dot) {
                    const float* center = data_of<float>(norm.mean) + view * C;
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
      dot *= data_of<float>(norm.inv_std)[view * C + c];
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
void CpuBackend::do_batch_norm_grad_input(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In dy, In sums,
                                          double count, Out dx) {
  const auto C = static_cast<std::size_t>(desc.channels);
  struct Coefficients {
    std::vector<float> a, b, d;
  };
  std::vector<Coefficients> coefficients;
  std::vector<Affine> affine;
  for (std::int64_t view = 0; view < desc.views; ++view) {
    const Channels channels = channels_of_view(desc, view, norm);
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
      const auto kernel = row_kernels().norm<T, U>().grad_input[desc.relu && !desc.residual];
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
