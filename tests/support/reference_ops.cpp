// SPDX-License-Identifier: Apache-2.0
#include "support/reference_ops.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace barlow::reference {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

Values zeros(std::int64_t count) { return Values(at(count), 0.0); }

/// Calls f(index in x, index in w, index in y) for every product of the convolution.
template <class F>
void for_each_product(const Conv2dDesc& d, F&& f) {
  for (std::int64_t n = 0; n < d.N; ++n)
    for (std::int64_t p = 0; p < d.P(); ++p)
      for (std::int64_t q = 0; q < d.Q(); ++q)
        for (std::int64_t r = 0; r < d.R; ++r)
          for (std::int64_t s = 0; s < d.S; ++s) {
            const std::int64_t h = p * d.stride - d.padding + r, w = q * d.stride - d.padding + s;
            if (h < 0 || h >= d.H || w < 0 || w >= d.W) continue;
            for (std::int64_t k = 0; k < d.K; ++k)
              for (std::int64_t c = 0; c < d.C; ++c)
                f(at(((n * d.H + h) * d.W + w) * d.C + c), at(((k * d.R + r) * d.S + s) * d.C + c),
                  at(((n * d.P() + p) * d.Q() + q) * d.K + k));
          }
}

/// Calls f(index, view, channel, index of the view's channel) for every element of x [V,rows,C].
template <class F>
void for_each_element(const BatchNormDesc& d, F&& f) {
  for (std::int64_t v = 0; v < d.views; ++v)
    for (std::int64_t row = 0; row < d.rows; ++row)
      for (std::int64_t c = 0; c < d.channels; ++c)
        f(at((v * d.rows + row) * d.channels + c), v, at(c), at(v * d.channels + c));
}

double or_one(const Values& values, std::size_t i) { return values.empty() ? 1.0 : values[i]; }
double or_zero(const Values& values, std::size_t i) { return values.empty() ? 0.0 : values[i]; }

}  // namespace

Values conv2d(const Conv2dDesc& d, const Values& x, const Values& w) {
  Values y = zeros(d.N * d.P() * d.Q() * d.K);
  for_each_product(d, [&](std::size_t i, std::size_t j, std::size_t k) { y[k] += x[i] * w[j]; });
  return y;
}

Values conv2d_grad_input(const Conv2dDesc& d, const Values& dy, const Values& w) {
  Values dx = zeros(d.N * d.H * d.W * d.C);
  for_each_product(d, [&](std::size_t i, std::size_t j, std::size_t k) { dx[i] += dy[k] * w[j]; });
  return dx;
}

Values conv2d_grad_filter(const Conv2dDesc& d, const Values& x, const Values& dy) {
  Values dw = zeros(d.K * d.R * d.S * d.C);
  for_each_product(d, [&](std::size_t i, std::size_t j, std::size_t k) { dw[j] += dy[k] * x[i]; });
  return dw;
}

Values batch_norm_sums(const BatchNormDesc& d, const Values& x) {
  Values sums = zeros(d.views * 2 * d.channels);
  for_each_element(d, [&](std::size_t i, std::int64_t v, std::size_t c, std::size_t) {
    sums[at(2 * v * d.channels) + c] += x[i];
    sums[at((2 * v + 1) * d.channels) + c] += x[i] * x[i];
  });
  return sums;
}

Statistics batch_norm_statistics(const BatchNormDesc& d, const Values& sums, double count, double eps, double momentum,
                                 Values running_mean, Values running_var) {
  Statistics s{zeros(d.views * d.channels), zeros(d.views * d.channels), std::move(running_mean),
               std::move(running_var)};
  for (std::int64_t v = 0; v < d.views; ++v)
    for (std::int64_t c = 0; c < d.channels; ++c) {
      const double mean = sums[at(2 * v * d.channels + c)] / count;
      const double var = sums[at((2 * v + 1) * d.channels + c)] / count - mean * mean;
      s.mean[at(v * d.channels + c)] = mean;
      s.inv_std[at(v * d.channels + c)] = 1 / std::sqrt(var + eps);
      if (s.running_mean.empty()) continue;
      double& running = s.running_mean[at(c)];
      double& spread = s.running_var[at(c)];
      running = (1 - momentum) * running + momentum * mean;
      spread = (1 - momentum) * spread + momentum * var * count / (count - 1);
    }
  return s;
}

Values batch_normalize(const BatchNormDesc& d, const Values& x, const Statistics& s, const Values& gamma,
                       const Values& beta, const Values& residual) {
  Values y(x.size());
  for_each_element(d, [&](std::size_t i, std::int64_t, std::size_t c, std::size_t vc) {
    const double normalised = (x[i] - s.mean[vc]) * s.inv_std[vc];
    const double value = normalised * or_one(gamma, c) + or_zero(beta, c) + or_zero(residual, i);
    y[i] = d.relu ? std::max(value, 0.0) : value;
  });
  return y;
}

NormGradients batch_norm_grad_sums(const BatchNormDesc& d, const Values& x, const Values& y, const Statistics& s,
                                   const Values& dy, const Values& dy_extra) {
  NormGradients g{Values(x.size()), zeros(d.views * 2 * d.channels), zeros(d.channels), zeros(d.channels)};
  for_each_element(d, [&](std::size_t i, std::int64_t v, std::size_t c, std::size_t vc) {
    const double dz = d.relu && y[i] <= 0 ? 0.0 : dy[i] + or_zero(dy_extra, i);
    const double scaled = dz * (x[i] - s.mean[vc]) * s.inv_std[vc];
    g.dz[i] = dz;
    g.sums[at(2 * v * d.channels) + c] += dz;
    g.sums[at((2 * v + 1) * d.channels) + c] += scaled;
    g.dbeta[c] += dz;
    g.dgamma[c] += scaled;
  });
  return g;
}

Values batch_norm_grad_input(const BatchNormDesc& d, const Values& x, const Statistics& s, const Values& gamma,
                             const NormGradients& g, double count) {
  Values dx(x.size());
  for_each_element(d, [&](std::size_t i, std::int64_t v, std::size_t c, std::size_t vc) {
    const double normalised = (x[i] - s.mean[vc]) * s.inv_std[vc];
    const double mean_dz = g.sums[at(2 * v * d.channels) + c] / count;
    const double mean_dot = g.sums[at((2 * v + 1) * d.channels) + c] / count;
    dx[i] = or_one(gamma, c) * s.inv_std[vc] * (g.dz[i] - mean_dz - normalised * mean_dot);
  });
  return dx;
}

Pooled max_pool(const MaxPoolDesc& d, const Values& x) {
  const std::int64_t outputs = d.N * d.P() * d.Q() * d.C;
  Pooled result{Values(at(outputs), -std::numeric_limits<double>::infinity()), zeros(outputs)};
  for (std::int64_t out = 0; out < outputs; ++out) {
    const std::int64_t c = out % d.C, q = out / d.C % d.Q(), p = out / d.C / d.Q() % d.P(),
                       n = out / d.C / d.Q() / d.P();
    bool first = true;
    for (int position = 0; position < d.window * d.window; ++position) {
      const std::int64_t h = p * d.stride - d.padding + position / d.window;
      const std::int64_t w = q * d.stride - d.padding + position % d.window;
      if (h < 0 || h >= d.H || w < 0 || w >= d.W) continue;
      const double value = x[at(((n * d.H + h) * d.W + w) * d.C + c)];
      if (!first && value <= result.y[at(out)]) continue;
      first = false;
      result.y[at(out)] = value;
      result.argmax[at(out)] = position;
    }
  }
  return result;
}

Values max_pool_grad(const MaxPoolDesc& d, const Values& dy, const Values& argmax) {
  Values dx = zeros(d.N * d.H * d.W * d.C);
  for (std::int64_t out = 0; out < static_cast<std::int64_t>(dy.size()); ++out) {
    const std::int64_t c = out % d.C, q = out / d.C % d.Q(), p = out / d.C / d.Q() % d.P(),
                       n = out / d.C / d.Q() / d.P();
    const auto position = static_cast<std::int64_t>(argmax[at(out)]);
    const std::int64_t h = p * d.stride - d.padding + position / d.window;
    const std::int64_t w = q * d.stride - d.padding + position % d.window;
    dx[at(((n * d.H + h) * d.W + w) * d.C + c)] += dy[at(out)];
  }
  return dx;
}

Values global_average_pool(const Shape& x_shape, const Values& x) {
  const std::int64_t pixels = x_shape[1] * x_shape[2], C = x_shape[3];
  Values y = zeros(x_shape[0] * C);
  for (std::int64_t i = 0; i < x_shape.num_elements(); ++i)
    y[at(i / (pixels * C) * C + i % C)] += x[at(i)] / static_cast<double>(pixels);
  return y;
}

Values global_average_pool_grad(const Shape& x_shape, const Values& dy) {
  const std::int64_t pixels = x_shape[1] * x_shape[2], C = x_shape[3];
  Values dx = zeros(x_shape.num_elements());
  for (std::int64_t i = 0; i < x_shape.num_elements(); ++i)
    dx[at(i)] = dy[at(i / (pixels * C) * C + i % C)] / static_cast<double>(pixels);
  return dx;
}

Values gemm(const GemmDesc& d, const Values& a, const Values& b, Values c) {
  for (std::int64_t m = 0; m < d.M; ++m)
    for (std::int64_t n = 0; n < d.N; ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < d.K; ++k)
        sum += a[at(d.transpose_a ? k * d.a_row_stride() + m : m * d.a_row_stride() + k)] *
               b[at(d.transpose_b ? n * d.K + k : k * d.N + n)];
      double& target = c[at(m * d.N + n)];
      target = d.alpha * sum + (d.beta == 0 ? 0.0 : d.beta * target);
    }
  return c;
}

Values normalize_images(const Values& x, const std::array<float, 3>& mean, const std::array<float, 3>& std) {
  Values y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (x[i] / 255 - mean[i % 3]) / std[i % 3];
  return y;
}

Values column_dots(const Values& a, const Values& b, std::int64_t columns) {
  Values sums = zeros(columns);
  for (std::size_t i = 0; i < a.size(); ++i) sums[i % at(columns)] += a[i] * b[i];
  return sums;
}

Values multiply_columns(const Values& x, const Values& column, double beta, Values y) {
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (beta == 0 ? 0.0 : beta * y[i]) + x[i] * column[i % column.size()];
  return y;
}

BarlowTerms barlow_terms(const Values& c, std::int64_t D, double lambda, double scale) {
  BarlowTerms result{zeros(2), Values(c.size())};
  for (std::int64_t i = 0; i < D; ++i)
    for (std::int64_t j = 0; j < D; ++j) {
      const double value = c[at(i * D + j)];
      result.terms[i == j ? 0 : 1] += i == j ? (1 - value) * (1 - value) : lambda * value * value;
      result.gradient[at(i * D + j)] = scale * (i == j ? -2 * (1 - value) : 2 * lambda * value);
    }
  return result;
}

BarlowTerms barlow_gram_terms(const Values& diagonal, double square, double count, double lambda, double scale) {
  BarlowTerms result{{0, lambda * square}, {}};
  for (const double entry : diagonal) {
    const double c = entry / count;
    result.terms[0] += (1 - c) * (1 - c);
    result.terms[1] -= lambda * c * c;
    result.gradient.push_back(scale / count * (-2 * (1 - c) - 2 * lambda * c));
  }
  return result;
}

Values segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, const Values& values,
                     const Values& gradients) {
  Values norms;
  for (const LarsSegment& segment : segments) {
    double value = 0, gradient = 0;
    for (std::int64_t i = segment.offset; i < segment.offset + segment.size; ++i) {
      const double decayed =
          gradients[at(i)] / step.loss_scale + (segment.adapt ? step.weight_decay * values[at(i)] : 0.0);
      value += values[at(i)] * values[at(i)];
      gradient += decayed * decayed;
    }
    norms.insert(norms.end(), {value, gradient});
  }
  return norms;
}

LarsState lars_update(std::span<const LarsSegment> segments, const LarsStep& step, LarsState state,
                      const Values& gradients) {
  const Values norms = segment_norms(segments, step, state.values, gradients);
  for (std::size_t s = 0; s < segments.size(); ++s) {
    const bool adapt = segments[s].adapt;
    const double value = std::sqrt(norms[2 * s]), gradient = std::sqrt(norms[2 * s + 1]);
    double ratio = adapt && value > 0 && gradient > 0 ? step.eta * value / gradient : 1.0;
    if (adapt && step.clip) ratio = std::min(ratio / step.rate_weights, 1.0);
    for (std::int64_t i = segments[s].offset; i < segments[s].offset + segments[s].size; ++i) {
      double& w = state.values[at(i)];
      double& m = state.momentum[at(i)];
      m = step.momentum * m + ratio * (gradients[at(i)] / step.loss_scale + (adapt ? step.weight_decay * w : 0.0));
      w -= (adapt ? step.rate_weights : step.rate_biases) * m;
    }
  }
  return state;
}

}  // namespace barlow::reference
