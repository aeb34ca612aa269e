// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numbers>

#include "barlow/data/sampler.hpp"
#include "barlow/evaluate/linear.hpp"
#include "samples.hpp"

using namespace barlow;

namespace {

/// Softmax regression in double, one sample after the other; weights [classes, width + 1], the bias last.
class Oracle {
 public:
  Oracle(const samples::Samples& train, std::int32_t classes, const evaluate::LinearOptions& options)
      : train_(train),
        classes_(static_cast<std::size_t>(classes)),
        columns_(static_cast<std::size_t>(train.width) + 1),
        options_(options),
        weights_(classes_ * columns_, 0.0),
        momentum_(weights_.size(), 0.0) {
    RandomStream random(options.seed, RandomStream::Purpose::kEvaluation, 0);
    for (std::size_t c = 0; c < classes_; ++c) {
      for (std::size_t f = 0; f + 1 < columns_; ++f) {
        const double radius = 0.01 * std::sqrt(-2 * std::log(1 - random.next_uniform()));
        weights_[c * columns_ + f] = radius * std::cos(2 * std::numbers::pi * random.next_uniform());
      }
    }
  }

  void train(double learning_rate) {
    data::Sampler sampler(train_.size(), options_.batch_size, options_.seed);
    for (std::int64_t step = 0; step < options_.epochs * sampler.steps_per_epoch(); ++step) {
      const auto epoch = static_cast<double>(step / sampler.steps_per_epoch());
      const double rate =
          learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * epoch / static_cast<double>(options_.epochs)));
      std::vector<double> gradient(weights_.size(), 0.0);
      for (const std::int64_t sample : sampler.sample_ids(step, 0, 1)) add_gradient(sample, gradient);
      for (std::size_t i = 0; i < weights_.size(); ++i) {
        momentum_[i] = options_.momentum * momentum_[i] + gradient[i] / static_cast<double>(options_.batch_size) +
                       options_.weight_decay * weights_[i];
        weights_[i] -= rate * momentum_[i];
      }
    }
  }

  evaluate::Accuracy accuracy(const samples::Samples& test) const {
    evaluate::Accuracy result;
    for (std::int64_t i = 0; i < test.size(); ++i) {
      const auto scores = logits(test, i);
      const double own = scores[static_cast<std::size_t>(test.labels[static_cast<std::size_t>(i)])];
      const auto better = std::count_if(scores.begin(), scores.end(), [&](double score) { return score > own; });
      result.top1 += better < 1 ? 100.0 / static_cast<double>(test.size()) : 0;
      result.top5 += better < 5 ? 100.0 / static_cast<double>(test.size()) : 0;
    }
    return result;
  }

 private:
  std::vector<double> logits(const samples::Samples& samples, std::int64_t i) const {
    std::vector<double> scores(classes_);
    for (std::size_t c = 0; c < classes_; ++c) {
      scores[c] = weights_[c * columns_ + columns_ - 1];
      for (std::size_t f = 0; f + 1 < columns_; ++f)
        scores[c] += weights_[c * columns_ + f] * samples.values[static_cast<std::size_t>(i) * (columns_ - 1) + f];
    }
    return scores;
  }

  void add_gradient(std::int64_t sample, std::vector<double>& gradient) const {
    auto scores = logits(train_, sample);
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score);
    for (std::size_t c = 0; c < classes_; ++c) {
      const bool is_label = static_cast<std::int32_t>(c) == train_.labels[static_cast<std::size_t>(sample)];
      const double difference = scores[c] / sum - (is_label ? 1 : 0);
      for (std::size_t f = 0; f + 1 < columns_; ++f) {
        gradient[c * columns_ + f] += difference * train_.values[static_cast<std::size_t>(sample) * (columns_ - 1) + f];
      }
      gradient[c * columns_ + columns_ - 1] += difference;
    }
  }

  const samples::Samples& train_;
  std::size_t classes_, columns_;
  evaluate::LinearOptions options_;
  std::vector<double> weights_, momentum_;
};

std::vector<evaluate::LinearResult> run(const samples::Samples& train, const samples::Samples& test,
                                        std::int32_t classes, const evaluate::LinearOptions& options) {
  samples::Machine machine(test_session());
  return evaluate::evaluate_linear(samples::share_of(train, test_session()), samples::share_of(test, test_session()),
                                   classes, options, machine.runtime);
}

}  // namespace

TEST_CASE("the linear classifiers follow softmax regression in double, each at its rate", "[evaluate]") {
  constexpr std::int32_t kClasses = 11;
  const auto train = samples::make(503, 13, kClasses, 2.5, 5);
  const auto test = samples::make(400, 13, kClasses, 2.5, 6);
  const evaluate::LinearOptions options{
      .epochs = 4, .batch_size = 50, .learning_rates = {0.003, 0.3}, .weight_decay = 0.01, .seed = 9};
  const auto results = run(train, test, kClasses, options);
  REQUIRE_ON_ALL_RANKS(results.size() == 2);
  for (const auto& result : results) {
    Oracle oracle(train, kClasses, options);
    oracle.train(result.learning_rate);
    const auto expected = oracle.accuracy(test);
    INFO("rate " << result.learning_rate);
    CHECK(expected.top1 > 20);
    CHECK(expected.top1 < 99);
    const double one_sample = 100.0 / static_cast<double>(test.size());  // f32 against double, at a boundary
    CHECK(result.last.top1 == Approx(expected.top1).margin(1.01 * one_sample));
    CHECK(result.last.top5 == Approx(expected.top5).margin(1.01 * one_sample));
    CHECK(result.best.top1 >= result.last.top1);
    CHECK(result.best_epoch >= 1);
    CHECK(result.best_epoch <= options.epochs);
  }
  CHECK(results[0].last.top1 != results[1].last.top1);
}

TEST_CASE("a classifier that is never right still has its top-5", "[evaluate]") {
  const auto train = samples::make(60, 4, 2, 0.2, 5);
  auto test = samples::make(30, 4, 2, 0.2, 6);
  test.labels.assign(test.labels.size(), 2);  // a class that no training image has
  const auto results = run(train, test, 3, {.epochs = 2, .batch_size = 10, .learning_rates = {1}});
  CHECK(results[0].best.top1 == 0);
  CHECK(results[0].best.top5 == 100);
  CHECK(results[0].best_epoch == 1);
}

TEST_CASE("a rate that diverges is no success", "[evaluate]") {
  const auto train = samples::make(60, 4, 3, 0.2, 5);
  const auto test = samples::make(30, 4, 3, 0.2, 6);
  const auto results =
      run(train, test, 3, {.epochs = 30, .batch_size = 256, .learning_rates = {1e38, 0.1}, .weight_decay = 1e-6});
  CHECK(results[0].last.top1 < 70);
  CHECK(results[1].best.top1 == 100);
}
