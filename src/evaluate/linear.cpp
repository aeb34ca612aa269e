// SPDX-License-Identifier: Apache-2.0
#include "barlow/evaluate/linear.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "barlow/base/random.hpp"
#include "barlow/data/sampler.hpp"

namespace barlow::evaluate {
namespace {

/// Classifiers for R rates and C classes, weights [R*C, F] and biases [R*C], trained side by side.
class Classifiers {
 public:
  Classifiers(const Features& train, std::int64_t num_classes, const LinearOptions& options,
              const train::Runtime& runtime)
      : options_(options),
        runtime_(runtime),
        classes_(num_classes),
        width_(train.width),
        outputs_(num_classes * static_cast<std::int64_t>(options.learning_rates.size())),
        weights_(static_cast<std::size_t>(outputs_ * (width_ + 1))),
        momentum_(weights_.size(), 0.0F),
        gradient_(weights_.size()) {
    // fc ~ N(0, 0.01), the same for every rate; biases 0.
    RandomStream random(options.seed, RandomStream::Purpose::kEvaluation, 0);
    const auto block = static_cast<std::size_t>(num_classes * width_);
    for (std::size_t i = 0; i < block; ++i) {
      const double radius = 0.01 * std::sqrt(-2 * std::log(1 - random.next_uniform()));
      const auto value = static_cast<float>(radius * std::cos(2 * std::numbers::pi * random.next_uniform()));
      for (std::size_t rate = 0; rate < options.learning_rates.size(); ++rate) weights_[rate * block + i] = value;
    }
  }

  /// Logits [rows, R*C] of features [rows, F].
  const std::vector<float>& logits(const float* features, std::int64_t rows) {
    logits_.resize(static_cast<std::size_t>(rows * outputs_));
    runtime_.backend.gemm({.M = rows, .N = outputs_, .K = width_, .transpose_b = true},
                          ConstTensorView(features, DType::kF32, {rows, width_}), matrix(weights_),
                          TensorView(logits_.data(), DType::kF32, {rows, outputs_}));
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t i = 0; i < outputs_; ++i)
        logits_[static_cast<std::size_t>(row * outputs_ + i)] += bias(weights_)[i];
    }
    return logits_;
  }

  /// One step on this rank's rows of a batch of `batch` images over all ranks.
  void step(const std::vector<float>& features, const std::vector<std::int32_t>& labels, std::int64_t batch,
            double rate_scale) {
    const auto rows = static_cast<std::int64_t>(labels.size());
    std::fill(gradient_.begin(), gradient_.end(), 0.0F);
    if (rows > 0) {
      logits(features.data(), rows);
      to_gradient(labels, batch);
      runtime_.backend.gemm({.M = outputs_, .N = width_, .K = rows, .transpose_a = true},
                            ConstTensorView(logits_.data(), DType::kF32, {rows, outputs_}),
                            ConstTensorView(features.data(), DType::kF32, {rows, width_}), matrix(gradient_));
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t i = 0; i < outputs_; ++i)
          bias(gradient_)[i] += logits_[static_cast<std::size_t>(row * outputs_ + i)];
      }
    }
    runtime_.collectives.all_reduce_sum(
        TensorView(gradient_.data(), DType::kF32, {static_cast<std::int64_t>(gradient_.size())}));
    for (std::int64_t i = 0; i < outputs_; ++i) {
      const auto rate =
          static_cast<float>(options_.learning_rates[static_cast<std::size_t>(i / classes_)] * rate_scale);
      update(i * width_, width_, rate);
      update(outputs_ * width_ + i, 1, rate);
    }
  }

  /// Adds this rank's numbers of correct images to counts [R] of top-1 and of top-5.
  void count_correct(const Features& test, std::vector<double>& top1, std::vector<double>& top5) {
    constexpr std::int64_t kRows = 4096;
    for (std::int64_t first = 0; first < test.local_samples(); first += kRows) {
      const std::int64_t rows = std::min(kRows, test.local_samples() - first);
      logits(test.values.data() + first * width_, rows);
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int32_t label = test.labels[static_cast<std::size_t>(first + row)];
        for (std::size_t rate = 0; rate < top1.size(); ++rate) {
          const float* scores = logits_.data() + row * outputs_ + static_cast<std::int64_t>(rate) * classes_;
          const auto better =
              std::count_if(scores, scores + classes_, [&](float score) { return !(score <= scores[label]); });
          top1[rate] += better < 1 ? 1 : 0;
          top5[rate] += better < 5 ? 1 : 0;
        }
      }
    }
  }

 private:
  TensorView matrix(std::vector<float>& values) { return {values.data(), DType::kF32, {outputs_, width_}}; }
  float* bias(std::vector<float>& values) { return values.data() + outputs_ * width_; }

  /// Logits become the mean cross-entropy's gradient: (softmax - one-hot) / batch.
  void to_gradient(const std::vector<std::int32_t>& labels, std::int64_t batch) {
    const float share = 1.0F / static_cast<float>(batch);
    for (std::size_t row = 0; row < labels.size(); ++row) {
      for (std::int64_t first = 0; first < outputs_; first += classes_) {
        float* scores = logits_.data() + static_cast<std::int64_t>(row) * outputs_ + first;
        const float highest = *std::max_element(scores, scores + classes_);
        float sum = 0;
        for (std::int64_t c = 0; c < classes_; ++c) sum += scores[c] = std::exp(scores[c] - highest);
        for (std::int64_t c = 0; c < classes_; ++c) scores[c] *= share / sum;
        scores[labels[row]] -= share;
      }
    }
  }

  void update(std::int64_t first, std::int64_t count, float rate) {
    const auto momentum = static_cast<float>(options_.momentum), decay = static_cast<float>(options_.weight_decay);
    for (std::int64_t i = first; i < first + count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      momentum_[at] = momentum * momentum_[at] + gradient_[at] + decay * weights_[at];
      weights_[at] -= rate * momentum_[at];
    }
  }

  const LinearOptions& options_;
  const train::Runtime& runtime_;
  std::int64_t classes_, width_, outputs_;
  std::vector<float> weights_, momentum_, gradient_, logits_;
};

}  // namespace

std::vector<LinearResult> evaluate_linear(const Features& train, const Features& test, std::int64_t num_classes,
                                          const LinearOptions& options, const train::Runtime& runtime) {
  const std::int64_t batch = std::min(options.batch_size, train.num_samples);
  Classifiers classifiers(train, num_classes, options, runtime);
  data::Sampler sampler(train.num_samples, batch, options.seed);
  std::vector<LinearResult> results;
  for (const double rate : options.learning_rates) results.push_back({.learning_rate = rate, .last = {}, .best = {}});

  std::vector<float> rows;
  std::vector<std::int32_t> labels;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const double rate_scale =
        0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(epoch) / static_cast<double>(options.epochs)));
    for (std::int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
      rows.clear();
      labels.clear();
      for (const std::int64_t sample : sampler.sample_ids(epoch * sampler.steps_per_epoch() + step, 0, 1)) {
        if (sample % runtime.session.world_size() != runtime.session.rank()) continue;
        const std::int64_t place = sample / runtime.session.world_size();
        rows.insert(rows.end(), train.values.begin() + place * train.width,
                    train.values.begin() + (place + 1) * train.width);
        labels.push_back(train.labels[static_cast<std::size_t>(place)]);
      }
      classifiers.step(rows, labels, batch, rate_scale);
    }
    std::vector<double> top1(results.size(), 0.0), top5(results.size(), 0.0);
    classifiers.count_correct(test, top1, top5);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto total = static_cast<double>(test.num_samples);
      results[i].last = {100 * runtime.session.sum(top1[i]) / total, 100 * runtime.session.sum(top5[i]) / total};
      if (epoch == 0 || results[i].last.top1 > results[i].best.top1) {
        results[i].best = results[i].last;
        results[i].best_epoch = epoch + 1;
      }
    }
  }
  return results;
}

}  // namespace barlow::evaluate
