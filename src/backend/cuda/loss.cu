// SPDX-License-Identifier: Apache-2.0
#include "cuda_backend.hpp"
#include "reduce_rows.cuh"

namespace barlow::cuda {
namespace {

/// Sums of a*b per column; the second sum is not used.
template <int N>
struct ProductRows {
  const float *a, *b;

  static constexpr int kTogether = 4;
  struct Nothing {};
  struct Row {
    Pack<float, N> left, right;
  };
  __device__ Nothing constants(int, std::int64_t) const { return {}; }
  __device__ Row read(std::int64_t at) const { return {load<N>(a + at), load<N>(b + at)}; }
  template <int kRows>
  __device__ void add(Nothing, const Row (&rows)[kRows], std::int64_t, std::int64_t, double* sum, double*) const {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      double part = 0;
#pragma unroll
      for (const Row& row : rows) part += static_cast<double>(row.left.at[i]) * static_cast<double>(row.right.at[i]);
      sum[i] += part;
    }
  }
};

__global__ void dot_kernel(std::int64_t count, const float* a, const float* b, double* parts) {
  double sum = 0;
  for (std::int64_t i = first_item(); i < count; i += item_stride()) sum += static_cast<double>(a[i]) * b[i];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

/// sums[i] = factor[i] * sum of parts [blocks, num_sums]; one block.
struct Factors {
  double at[2];
};
__global__ void fold_kernel(int blocks, int num_sums, Factors factors, const double* parts, double* sums) {
  for (int which = 0; which < num_sums; ++which) {
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < blocks; i += kBlock) sum += parts[i * num_sums + which];
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) sums[which] = factors.at[which] * sum;
  }
}

template <int N>
__global__ void multiply_columns_kernel(RowGrid grid, const float* x, const float* column, float beta, float* y) {
  const RowPosition p(grid);
  if (p.channel >= grid.channels) return;
  const auto factors = load<N>(column + p.channel);
  for (std::int64_t row = p.row; row < p.last; row += p.step) {
    const std::int64_t at = row * grid.channels + p.channel;
    const auto values = load<N>(x + at);
    Pack<float, N> result{};
    if (beta != 0) result = load<N>(y + at);
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = fmaf(values.at[i], factors.at[i], beta == 0 ? 0 : beta * result.at[i]);
    save(y + at, result);
  }
}

/// A block takes whole rows of c.
template <int N>
__global__ void barlow_terms_kernel(std::int64_t D, float lambda, float scale, float* c, double* parts) {
  double on = 0, off = 0;
  for (std::int64_t row = blockIdx.x; row < D; row += gridDim.x) {
    for (std::int64_t first = static_cast<std::int64_t>(threadIdx.x) * N; first < D; first += kBlock * N) {
      auto values = load<N>(c + row * D + first);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float value = values.at[i];
        if (first + i == row) {
          on += (1.0 - value) * (1.0 - value);
          values.at[i] = -2 * (1 - value) * scale;
        } else {
          off += static_cast<double>(value) * value;
          values.at[i] = value * (2 * lambda * scale);
        }
      }
      save(c + row * D + first, values);
    }
  }
  on = sum_of_block(on);
  off = sum_of_block(off);
  if (threadIdx.x == 0) {
    parts[2 * blockIdx.x] = on;
    parts[2 * blockIdx.x + 1] = off;
  }
}

/// One block.
__global__ void gram_terms_kernel(std::int64_t D, const double* diagonal, const double* square, double count,
                                  float lambda, float scale, double* terms, float* coefficient) {
  double on = 0, squares = 0;
  for (std::int64_t i = threadIdx.x; i < D; i += kBlock) {
    const double c = diagonal[i] / count;
    on += (1 - c) * (1 - c);
    squares += c * c;
    coefficient[i] = static_cast<float>(scale / count * (-2 * (1 - c) - 2 * lambda * c));
  }
  on = sum_of_block(on);
  squares = sum_of_block(squares);
  if (threadIdx.x == 0) {
    terms[0] = on;
    terms[1] = lambda * (*square - squares);
  }
}

}  // namespace

void CudaBackend::do_column_dots(In a, In b, Out sums) {
  const std::int64_t N = a.shape[0], D = a.shape[1];
  with_width(D, sizeof(float), {a, b}, [&](auto width) {
    constexpr int kWidth = decltype(width)::value;
    const RowGrid grid = summing_grid(1, N, D, kWidth);
    double* both = parts() + parts_of(grid, 1);  // [2,D]; the parts end there
    sum_rows<kWidth>(grid, 1, ProductRows<kWidth>{data_of<float>(a), data_of<float>(b)}, NothingMore{}, parts(), both,
                     stream());
    check(cudaMemcpyAsync(sums.data, both, static_cast<std::size_t>(D) * sizeof(double), cudaMemcpyDeviceToDevice,
                          stream()));
  });
}

void CudaBackend::do_dot(In a, In b, Out sum) {
  const std::int64_t count = a.num_elements();
  const dim3 blocks(std::min(blocks_for(count).x, static_cast<unsigned>(kManyBlocks)));
  launch(dot_kernel, blocks, dim3(kBlock), stream(), count, data_of<float>(a), data_of<float>(b), parts());
  launch(fold_kernel, dim3(1), dim3(kBlock), stream(), static_cast<int>(blocks.x), 1, Factors{{1, 1}}, parts(),
         data_of<double>(sum));
}

void CudaBackend::do_multiply_columns(In x, In column, float beta, Out y) {
  with_width(x.shape[1], sizeof(float), {x, column, y}, [&](auto width) {
    constexpr int N = decltype(width)::value;
    const RowGrid grid = streaming_grid(1, x.shape[0], x.shape[1], N);
    launch(multiply_columns_kernel<N>, blocks_of(grid, 1), threads_of(grid), stream(), grid, data_of<float>(x),
           data_of<float>(column), beta, data_of<float>(y));
  });
}

void CudaBackend::do_barlow_terms(Out c, float lambda, float scale, Out terms) {
  const std::int64_t D = c.shape[0];
  const dim3 blocks(static_cast<unsigned>(std::min<std::int64_t>(D, kManyBlocks)));
  with_width(D, sizeof(float), {c}, [&](auto width) {
    launch(barlow_terms_kernel<decltype(width)::value>, blocks, dim3(kBlock), stream(), D, lambda, scale,
           data_of<float>(c), parts());
  });
  launch(fold_kernel, dim3(1), dim3(kBlock), stream(), static_cast<int>(blocks.x), 2, Factors{{1, lambda}}, parts(),
         data_of<double>(terms));
}

void CudaBackend::do_barlow_gram_terms(In diagonal, In square, double count, float lambda, float scale, Out terms,
                                       Out coefficient) {
  launch(gram_terms_kernel, dim3(1), dim3(kBlock), stream(), diagonal.num_elements(), data_of<double>(diagonal),
         data_of<double>(square), count, lambda, scale, data_of<double>(terms), data_of<float>(coefficient));
}

}  // namespace barlow::cuda
