// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu_backend.hpp"
#include "element.hpp"
#include "partition.hpp"

namespace barlow::cpu {
namespace {

constexpr std::int64_t kChunk = 1 << 14;  // elements: small enough to share evenly, large enough to stream

/// A piece of one segment: what a thread works on at a time.
struct Chunk {
  std::size_t segment;
  std::int64_t offset, size;
};

std::vector<Chunk> cut(std::span<const LarsSegment> segments) {
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    for (std::int64_t first = 0; first < segments[i].size; first += kChunk) {
      chunks.push_back({i, segments[i].offset + first, std::min(kChunk, segments[i].size - first)});
    }
  }
  return chunks;
}

struct Norms {
  double value = 0, gradient = 0;
};

BARLOW_MULTIVERSION Norms norms_of(const float* w, const float* g, float decay, float unscale, std::int64_t count) {
  constexpr int kLanes = 32;
  float values[kLanes] = {}, gradients[kLanes] = {};
  Norms norms;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float value = w[i + lane];
      const float gradient = unscale * g[i + lane] + decay * value;
      values[lane] += value * value;
      gradients[lane] += gradient * gradient;
    }
  }
  for (; i < count; ++i) {
    const float gradient = unscale * g[i] + decay * w[i];
    norms.value += static_cast<double>(w[i]) * static_cast<double>(w[i]);
    norms.gradient += static_cast<double>(gradient) * static_cast<double>(gradient);
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    norms.value += static_cast<double>(values[lane]);
    norms.gradient += static_cast<double>(gradients[lane]);
  }
  return norms;
}

BARLOW_MULTIVERSION void update(float* w, const float* g, float* m, float decay, float unscale, float ratio,
                                float momentum, float rate, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] = momentum * m[i] + (unscale * g[i] + decay * w[i]) * ratio;
    w[i] -= rate * m[i];
  }
}

template <class T>
BARLOW_MULTIVERSION void copy_as(const float* w, T* compute, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) store(compute[i], w[i]);
}

float trust_ratio(const LarsStep& step, double value_square, double gradient_square) {
  const double value = std::sqrt(value_square), gradient = std::sqrt(gradient_square);
  const double q = value > 0 && gradient > 0 ? step.eta * value / gradient : 1.0;
  return static_cast<float>(step.clip && q < step.rate_weights ? q / step.rate_weights : step.clip ? 1.0 : q);
}

}  // namespace

void CpuBackend::do_segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, In values, In gradients,
                                  Out norms) {
  const std::vector<Chunk> chunks = cut(segments);
  std::vector<Norms> parts(chunks.size());
  parallel_ranges(num_threads_, static_cast<std::int64_t>(chunks.size()), [&](Range range, int) {
    for (std::int64_t i = range.first; i < range.last; ++i) {
      const Chunk& chunk = chunks[static_cast<std::size_t>(i)];
      const float decay = segments[chunk.segment].adapt ? step.weight_decay : 0.0F;
      parts[static_cast<std::size_t>(i)] =
          norms_of(data_of<float>(values) + chunk.offset, data_of<float>(gradients) + chunk.offset, decay,
                   1 / step.loss_scale, chunk.size);
    }
  });
  auto* result = data_of<double>(norms);
  std::fill(result, result + 2 * segments.size(), 0.0);
  for (std::size_t i = 0; i < chunks.size(); ++i) {  // in order: independent of the number of threads
    result[2 * chunks[i].segment] += parts[i].value;
    result[2 * chunks[i].segment + 1] += parts[i].gradient;
  }
}

void CpuBackend::do_lars_update(std::span<const LarsSegment> segments, const LarsStep& step, In norms, Out values,
                                In gradients, Out momentum, Out compute) {
  const std::vector<Chunk> chunks = cut(segments);
  parallel_ranges(num_threads_, static_cast<std::int64_t>(chunks.size()), [&](Range range, int) {
    for (std::int64_t i = range.first; i < range.last; ++i) {
      const Chunk& chunk = chunks[static_cast<std::size_t>(i)];
      const bool adapt = segments[chunk.segment].adapt;
      const double* norm = data_of<double>(norms) + 2 * chunk.segment;
      float* w = data_of<float>(values) + chunk.offset;
      update(w, data_of<float>(gradients) + chunk.offset, data_of<float>(momentum) + chunk.offset,
             adapt ? step.weight_decay : 0.0F, 1 / step.loss_scale, adapt ? trust_ratio(step, norm[0], norm[1]) : 1.0F,
             step.momentum, adapt ? step.rate_weights : step.rate_biases, chunk.size);
      if (!compute) continue;
      with_element(compute.dtype,
                   [&](auto zero) { copy_as(w, data_of<decltype(zero)>(compute) + chunk.offset, chunk.size); });
    }
  });
}

}  // namespace barlow::cpu
