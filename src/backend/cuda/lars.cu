// SPDX-License-Identifier: Apache-2.0
// LARS over all tensors at once: a block takes one chunk of one tensor, from a table in device memory.
#include "chunks.hpp"
#include "cuda_backend.hpp"
#include "element.cuh"
#include "launch.cuh"

namespace barlow::cuda {
namespace {

/// parts [chunks,2]: squared norms of values and of gradients + decay * values.
__global__ void norms_kernel(const Chunk* chunks, LarsStep step, const float* values, const float* gradients,
                             double* parts) {
  const Chunk chunk = chunks[blockIdx.x];
  const float decay = chunk.adapt ? step.weight_decay : 0, unscale = 1 / step.loss_scale;
  double value_sum = 0, gradient_sum = 0;
  for (std::int64_t first = static_cast<std::int64_t>(threadIdx.x) * 4; first < chunk.size; first += kBlock * 4) {
    float value_run = 0, gradient_run = 0;
    for (int i = 0; i < 4 && first + i < chunk.size; ++i) {
      const float value = values[chunk.offset + first + i];
      const float gradient = fmaf(decay, value, unscale * gradients[chunk.offset + first + i]);
      value_run = fmaf(value, value, value_run);
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
template <class T>
__global__ void update_kernel(const Chunk* chunks, LarsStep step, const double* norms, float* values,
                              const float* gradients, float* momentum, T* compute) {
  const Chunk chunk = chunks[blockIdx.x];
  const float ratio = chunk.adapt ? trust_ratio(step, norms[2 * chunk.segment], norms[2 * chunk.segment + 1]) : 1;
  const float decay = chunk.adapt ? step.weight_decay : 0, unscale = 1 / step.loss_scale;
  const float rate = chunk.adapt ? step.rate_weights : step.rate_biases;
  for (std::int64_t i = threadIdx.x; i < chunk.size; i += kBlock) {
    const std::int64_t at = chunk.offset + i;
    const float value = values[at];
    const float moved = step.momentum * momentum[at] + (unscale * gradients[at] + decay * value) * ratio;
    const float result = value - rate * moved;
    momentum[at] = moved;
    values[at] = result;
    if (compute != nullptr) compute[at] = from_float<T>(result);
  }
}

}  // namespace

void CudaBackend::do_segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, In values, In gradients,
                                   Out norms) {
  const ChunkTable& table = chunk_table(segments);
  launch(norms_kernel, dim3(table.num_chunks()), dim3(kBlock), stream(), table.chunks(), step, data_of<float>(values),
         data_of<float>(gradients), table.parts());
  launch(fold_norms_kernel, dim3(table.num_segments()), dim3(kBlock), stream(), table.first_chunks(), table.parts(),
         data_of<double>(norms));
}

void CudaBackend::do_lars_update(std::span<const LarsSegment> segments, const LarsStep& step, In norms, Out values,
                                 In gradients, Out momentum, Out compute) {
  const ChunkTable& table = chunk_table(segments);
  with_element(compute ? compute.dtype : DType::kF32, [&](auto zero) {
    using T = decltype(zero);
    launch(update_kernel<T>, dim3(table.num_chunks()), dim3(kBlock), stream(), table.chunks(), step,
           data_of<double>(norms), data_of<float>(values), data_of<float>(gradients), data_of<float>(momentum),
           data_of<T>(compute));
  });
}

}  // namespace barlow::cuda
