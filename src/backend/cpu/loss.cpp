// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "cpu_backend.hpp"
#include "element.hpp"
#include "partition.hpp"

namespace barlow::cpu {
namespace {

constexpr std::int64_t kRun = 4096;  // products summed in f32 lanes before they are folded into f64

BARLOW_MULTIVERSION double dot_run(const float* a, const float* b, std::int64_t count) {
  constexpr int kLanes = 64;
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  double sum = 0;
  for (const float lane : lanes) sum += static_cast<double>(lane);
  for (; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

BARLOW_MULTIVERSION void multiply_columns_row(const float* x, const float* column, float beta, float* y,
                                              std::int64_t count) {
  if (beta == 0) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * column[i];
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i] = beta * y[i] + x[i] * column[i];
  }
}

BARLOW_MULTIVERSION void scale_run(float* x, float factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) x[i] *= factor;
}

BARLOW_MULTIVERSION void add_products(const float* a, const float* b, double* sums, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sums[i] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
}

double dot_of(const float* a, const float* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t first = 0; first < count; first += kRun)
    sum += dot_run(a + first, b + first, std::min(kRun, count - first));
  return sum;
}

double sum_in_order(const std::vector<double>& parts) {
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

}  // namespace

void CpuBackend::do_column_dots(In a, In b, Out sums) {
  const std::int64_t N = a.shape[0], D = a.shape[1];
  auto* result = data_of<double>(sums);
  parallel_ranges(num_threads_, D, [&](Range range, int) {  // by columns: every sum has one owner
    std::fill(result + range.first, result + range.last, 0.0);
    for (std::int64_t n = 0; n < N; ++n) {
      add_products(data_of<float>(a) + n * D + range.first, data_of<float>(b) + n * D + range.first,
                   result + range.first, range.last - range.first);
    }
  });
}

void CpuBackend::do_dot(In a, In b, Out sum) {
  std::vector<double> parts(static_cast<std::size_t>(num_threads_), 0.0);
  parallel_ranges(num_threads_, a.num_elements(), [&](Range range, int thread) {
    parts[static_cast<std::size_t>(thread)] =
        dot_of(data_of<float>(a) + range.first, data_of<float>(b) + range.first, range.last - range.first);
  });
  data_of<double>(sum)[0] = sum_in_order(parts);
}

void CpuBackend::do_multiply_columns(In x, In column, float beta, Out y) {
  const std::int64_t D = x.shape[1];
  parallel_ranges(num_threads_, x.shape[0], [&](Range range, int) {
    for (std::int64_t n = range.first; n < range.last; ++n) {
      multiply_columns_row(data_of<float>(x) + n * D, data_of<float>(column), beta, data_of<float>(y) + n * D, D);
    }
  });
}

void CpuBackend::do_barlow_terms(Out c, float lambda, float scale, Out terms) {
  const std::int64_t D = c.shape[0];
  auto* values = data_of<float>(c);
  std::vector<double> on(static_cast<std::size_t>(num_threads_), 0.0), off(on);
  parallel_ranges(num_threads_, D, [&](Range range, int thread) {
    double on_part = 0, off_part = 0;
    for (std::int64_t i = range.first; i < range.last; ++i) {
      float* row = values + i * D;
      const float diagonal = row[i];
      on_part += (1.0 - diagonal) * (1.0 - diagonal);
      row[i] = 0;
      off_part += dot_of(row, row, D);
      scale_run(row, 2 * lambda * scale, D);
      row[i] = -2 * (1 - diagonal) * scale;
    }
    on[static_cast<std::size_t>(thread)] = on_part;
    off[static_cast<std::size_t>(thread)] = off_part;
  });
  data_of<double>(terms)[0] = sum_in_order(on);
  data_of<double>(terms)[1] = static_cast<double>(lambda) * sum_in_order(off);
}

void CpuBackend::do_barlow_gram_terms(In diagonal, In square, double count, float lambda, float scale, Out terms,
                                      Out coefficient) {
  double on = 0, squares = 0;
  for (std::int64_t i = 0; i < diagonal.num_elements(); ++i) {
    const double c = data_of<double>(diagonal)[i] / count;
    on += (1 - c) * (1 - c);
    squares += c * c;
    data_of<float>(coefficient)[i] = static_cast<float>(scale / count * (-2 * (1 - c) - 2 * lambda * c));
  }
  data_of<double>(terms)[0] = on;
  data_of<double>(terms)[1] = lambda * (data_of<double>(square)[0] - squares);
}

}  // namespace barlow::cpu
