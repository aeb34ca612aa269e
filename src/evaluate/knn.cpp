// SPDX-License-Identifier: Apache-2.0
#include "barlow/evaluate/knn.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace barlow::evaluate {
namespace {

constexpr std::int64_t kTestRows = 256;  // test images of all ranks that are compared at a time
constexpr std::int64_t kTrainRows = 8192;

struct Neighbour {
  float similarity;
  std::int32_t label;
};

bool is_nearer(const Neighbour& a, const Neighbour& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.label < b.label;
}

void normalize_rows(Features& features) {
  const auto width = static_cast<std::size_t>(features.width);
  for (std::size_t row = 0; row < features.labels.size(); ++row) {
    float* values = features.values.data() + row * width;
    const double square = std::inner_product(values, values + width, values, 0.0);
    const auto scale = static_cast<float>(square > 0 ? 1 / std::sqrt(square) : 0);
    std::for_each(values, values + width, [&](float& value) { value *= scale; });
  }
}

/// The k nearest of this rank's training images to each of `rows` test images, nearest first; padded with nothing
/// (label -1).
std::vector<Neighbour> nearest_here(const Features& train, const float* test, std::int64_t rows, std::int64_t k,
                                    Backend& backend) {
  std::vector<std::vector<Neighbour>> best(static_cast<std::size_t>(rows));
  std::vector<float> similarity(static_cast<std::size_t>(rows * kTrainRows));
  for (std::int64_t first = 0; first < train.local_samples(); first += kTrainRows) {
    const std::int64_t count = std::min(kTrainRows, train.local_samples() - first);
    backend.gemm({.M = rows, .N = count, .K = train.width, .transpose_b = true},
                 ConstTensorView(test, DType::kF32, {rows, train.width}),
                 ConstTensorView(train.values.data() + first * train.width, DType::kF32, {count, train.width}),
                 TensorView(similarity.data(), DType::kF32, {rows, count}));
#pragma omp parallel for
    for (std::int64_t row = 0; row < rows; ++row) {
      auto& heap = best[static_cast<std::size_t>(row)];  // its farthest neighbour in front
      for (std::int64_t i = 0; i < count; ++i) {
        const Neighbour candidate{similarity[static_cast<std::size_t>(row * count + i)],
                                  train.labels[static_cast<std::size_t>(first + i)]};
        if (static_cast<std::int64_t>(heap.size()) == k) {
          if (!is_nearer(candidate, heap.front())) continue;
          std::pop_heap(heap.begin(), heap.end(), is_nearer);
          heap.back() = candidate;
        } else {
          heap.push_back(candidate);
        }
        std::push_heap(heap.begin(), heap.end(), is_nearer);
      }
    }
  }
  std::vector<Neighbour> result;
  for (auto& heap : best) {
    std::sort_heap(heap.begin(), heap.end(), is_nearer);
    heap.resize(static_cast<std::size_t>(k), {-2.0F, -1});
    result.insert(result.end(), heap.begin(), heap.end());
  }
  return result;
}

/// Position of the true class in the order of votes, 0 for the winner; ties go to the smaller class number.
std::int64_t rank_of_label(std::vector<Neighbour>& neighbours, std::int32_t label, std::int64_t num_classes,
                           const KnnOptions& options) {
  const auto k = std::min(static_cast<std::size_t>(options.k), neighbours.size());
  std::partial_sort(neighbours.begin(), neighbours.begin() + static_cast<std::ptrdiff_t>(k), neighbours.end(),
                    is_nearer);
  std::vector<double> votes(static_cast<std::size_t>(num_classes), 0.0);
  for (std::size_t i = 0; i < k; ++i) {
    if (neighbours[i].label < 0) continue;
    // Relative to the nearest: exp() of 1/0.07 would be large, and only ratios count.
    votes[static_cast<std::size_t>(neighbours[i].label)] +=
        std::exp((neighbours[i].similarity - neighbours[0].similarity) / options.temperature);
  }
  std::int64_t better = 0;
  for (std::int64_t c = 0; c < num_classes; ++c) {
    const double own = votes[static_cast<std::size_t>(label)], other = votes[static_cast<std::size_t>(c)];
    if (other > own || (other == own && c < label)) ++better;
  }
  return better;
}

}  // namespace

Accuracy evaluate_knn(Features train, Features test, std::int64_t num_classes, const KnnOptions& options,
                      const train::Runtime& runtime) {
  normalize_rows(train);
  normalize_rows(test);
  const std::int64_t world_size = runtime.session.world_size();
  const auto longest = static_cast<std::int64_t>(runtime.session.max(test.local_samples()));
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, kTestRows / world_size);
  double correct1 = 0, correct5 = 0;
  // Every rank's next test rows go to all ranks; each finds neighbours among its own training images; the owner merges.
  for (std::int64_t first = 0; first < longest; first += rows_at_once) {
    const std::int64_t rows = std::min(rows_at_once, longest - first);
    const std::int64_t mine = std::clamp<std::int64_t>(test.local_samples() - first, 0, rows);
    std::vector<float> local(static_cast<std::size_t>(rows * test.width), 0.0F);
    std::copy_n(test.values.data() + std::min(first, test.local_samples()) * test.width, mine * test.width,
                local.data());
    std::vector<float> all(local.size() * static_cast<std::size_t>(world_size));
    runtime.collectives.all_gather(ConstTensorView(local.data(), DType::kF32, {rows, test.width}),
                                   TensorView(all.data(), DType::kF32, {world_size * rows, test.width}));
    const auto found = nearest_here(train, all.data(), world_size * rows, options.k, runtime.backend);
    const auto bytes = static_cast<std::int64_t>(found.size() * sizeof(Neighbour));
    std::vector<Neighbour> everyone(found.size() * static_cast<std::size_t>(world_size));
    runtime.collectives.all_gather(ConstTensorView(found.data(), DType::kU8, {bytes}),
                                   TensorView(everyone.data(), DType::kU8, {bytes * world_size}));
    for (std::int64_t row = 0; row < mine; ++row) {
      std::vector<Neighbour> neighbours;
      for (std::int64_t rank = 0; rank < world_size; ++rank) {
        const std::int64_t place = (rank * world_size + runtime.session.rank()) * rows + row;
        const auto begin = everyone.begin() + place * options.k;
        neighbours.insert(neighbours.end(), begin, begin + options.k);
      }
      const std::int64_t better =
          rank_of_label(neighbours, test.labels[static_cast<std::size_t>(first + row)], num_classes, options);
      correct1 += better < 1 ? 1 : 0;
      correct5 += better < 5 ? 1 : 0;
    }
  }
  const auto total = static_cast<double>(test.num_samples);
  return {100 * runtime.session.sum(correct1) / total, 100 * runtime.session.sum(correct5) / total};
}

}  // namespace barlow::evaluate
