// SPDX-License-Identifier: Apache-2.0
// LARS over all tensors at once: a block takes one chunk of one tensor, from a table in device memory.
#include "chunks.hpp"
#include "cuda_backend.hpp"
#include "element.cuh"
#include "launch.cuh"

namespace barlow::cuda {
namespace {

/// parts [chunks,2]: squared norms of values and of gradients + decay * values.
template <int N>
__global__ void norms_kernel(const Chunk* chunks, LarsStep step, const float* values, const float* gradients,
                             double* parts) {
  const Chunk chunk = chunks[blockIdx.x];
  const float decay = chunk.adapt ? step.weight_decay : 0, unscale = 1 / step.loss_scale;
  double value_sum = 0, gradient_sum = 0;
  for (std::int64_t i = static_cast<std::int64_t>(threadIdx.x) * N; i < chunk.size; i += kBlock * N) {
    const auto value = load<N>(values + chunk.offset + i), scaled = load<N>(gradients + chunk.offset + i);
    float value_run = 0, gradient_run = 0;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float gradient = fmaf(decay, value.at[k], unscale * scaled.at[k]);
      value_run = fmaf(value.at[k], value.at[k], value_run);
      gradient_run = fmaf(gradient, gradient, gradient_run);
    }
    value_sum += value_run;
    gradient_sum += gradient_run;
  }
  value_sum = sum_of_block(value_sum);
  gradient_sum = sum_of_block(gradient_sum);
  if (threadIdx.x == 0) {
    parts[2 * blockIdx.x] = value_sum;
    parts[2 * blockIdx.x + 1] = gradient_sum;
  }
}

/// A block adds one segment's chunks, which follow each other.
__global__ void fold_norms_kernel(const std::int64_t* first_chunks, const double* parts, double* norms) {
  const std::int64_t first = first_chunks[blockIdx.x], last = first_chunks[blockIdx.x + 1];
  for (int which = 0; which < 2; ++which) {
    double sum = 0;
    for (std::int64_t i = first + threadIdx.x; i < last; i += kBlock) sum += parts[2 * i + which];
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) norms[2 * static_cast<std::int64_t>(blockIdx.x) + which] = sum;
  }
}

__device__ float trust_ratio(const LarsStep& step, double value_square, double gradient_square) {
  const double value = sqrt(value_square), gradient = sqrt(gradient_square);
  const double q = value > 0 && gradient > 0 ? step.eta * value / gradient : 1.0;
  return static_cast<float>(step.clip && q < step.rate_weights ? q / step.rate_weights : step.clip ? 1.0 : q);
}

/// @param compute  receives the new values in T; may be null
template <class T, int N>
__global__ void update_kernel(const Chunk* chunks, LarsStep step, const double* norms, float* values,
                              const float* gradients, float* momentum, T* compute) {
  const Chunk chunk = chunks[blockIdx.x];
  const float ratio = chunk.adapt ? trust_ratio(step, norms[2 * chunk.segment], norms[2 * chunk.segment + 1]) : 1;
  const float decay = chunk.adapt ? step.weight_decay : 0, unscale = 1 / step.loss_scale;
  const float rate = chunk.adapt ? step.rate_weights : step.rate_biases;
  for (std::int64_t i = static_cast<std::int64_t>(threadIdx.x) * N; i < chunk.size; i += kBlock * N) {
    const std::int64_t at = chunk.offset + i;
    const auto gradient = load<N>(gradients + at);
    auto value = load<N>(values + at), moved = load<N>(momentum + at);
    Pack<T, N> narrow;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      moved.at[k] = step.momentum * moved.at[k] + (unscale * gradient.at[k] + decay * value.at[k]) * ratio;
      value.at[k] -= rate * moved.at[k];
      narrow.at[k] = from_float<T>(value.at[k]);
    }
    save(momentum + at, moved);
    save(values + at, value);
    if (compute != nullptr) save(compute + at, narrow);
  }
}

}  // namespace

void CudaBackend::do_segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, In values, In gradients,
                                   Out norms) {
  const ChunkTable& table = chunk_table(segments);
  with_width(table.divisor(), sizeof(float), {values, gradients}, [&](auto width) {
    launch(norms_kernel<decltype(width)::value>, dim3(table.num_chunks()), dim3(kBlock), stream(), table.chunks(), step,
           data_of<float>(values), data_of<float>(gradients), table.parts());
  });
  launch(fold_norms_kernel, dim3(table.num_segments()), dim3(kBlock), stream(), table.first_chunks(), table.parts(),
         data_of<double>(norms));
}

void CudaBackend::do_lars_update(std::span<const LarsSegment> segments, const LarsStep& step, In norms, Out values,
                                 In gradients, Out momentum, Out compute) {
  const ChunkTable& table = chunk_table(segments);
  with_element(compute ? compute.dtype : DType::kF32, [&](auto zero) {
    with_width(table.divisor(), sizeof(float), {values, gradients, momentum, compute}, [&](auto width) {
      using T = decltype(zero);
      launch(update_kernel<T, decltype(width)::value>, dim3(table.num_chunks()), dim3(kBlock), stream(), table.chunks(),
             step, data_of<double>(norms), data_of<float>(values), data_of<float>(gradients), data_of<float>(momentum),
             data_of<T>(compute));
    });
  });
}

}  // namespace barlow::cuda
