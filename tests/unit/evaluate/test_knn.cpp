// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numeric>

#include "barlow/evaluate/knn.hpp"
#include "samples.hpp"

using namespace barlow;

namespace {

double cosine(const samples::Samples& a, std::int64_t i, const samples::Samples& b, std::int64_t j) {
  double dot = 0, aa = 0, bb = 0;
  for (std::int64_t f = 0; f < a.width; ++f) {
    const double x = a.values[static_cast<std::size_t>(i * a.width + f)];
    const double y = b.values[static_cast<std::size_t>(j * b.width + f)];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / std::sqrt(aa * bb);
}

/// By the definition, in double, one test sample after the other.
evaluate::Accuracy oracle(const samples::Samples& train, const samples::Samples& test, std::int32_t classes,
                          std::int64_t k, double temperature) {
  evaluate::Accuracy accuracy;
  for (std::int64_t i = 0; i < test.size(); ++i) {
    std::vector<std::pair<double, std::int32_t>> all;
    for (std::int64_t j = 0; j < train.size(); ++j)
      all.emplace_back(cosine(test, i, train, j), train.labels[static_cast<std::size_t>(j)]);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<double> votes(static_cast<std::size_t>(classes), 0.0);
    for (std::int64_t n = 0; n < std::min(k, train.size()); ++n) {
      const auto& [similarity, label] = all[static_cast<std::size_t>(n)];
      votes[static_cast<std::size_t>(label)] += std::exp(similarity / temperature);
    }
    const auto label = static_cast<std::size_t>(test.labels[static_cast<std::size_t>(i)]);
    std::int64_t better = 0;  // classes without a vote tie; the smaller number wins
    for (std::size_t c = 0; c < votes.size(); ++c)
      better += votes[c] > votes[label] || (votes[c] == votes[label] && c < label) ? 1 : 0;
    accuracy.top1 += better < 1 ? 100.0 / static_cast<double>(test.size()) : 0;
    accuracy.top5 += better < 5 ? 100.0 / static_cast<double>(test.size()) : 0;
  }
  return accuracy;
}

}  // namespace

TEST_CASE("kNN is what its definition says, on any number of ranks", "[evaluate]") {
  samples::Machine machine(test_session());
  struct Case {
    std::int64_t train, test, width;
    std::int32_t classes;
    double spread;
    std::int64_t k;
    double temperature;
  };
  // Odd sizes that no number of ranks divides; more test rows than are compared at a time; k above a rank's share.
  for (const Case& c : {Case{301, 97, 17, 12, 2.5, 20, 0.07}, Case{211, 601, 8, 9, 2.0, 1, 0.07},
                        Case{53, 31, 5, 7, 2.0, 40, 1.0}, Case{401, 100, 33, 20, 4.0, 200, 0.1}}) {
    const auto train = samples::make(c.train, c.width, c.classes, c.spread, 2);
    const auto test = samples::make(c.test, c.width, c.classes, c.spread, 3);
    const auto expected = oracle(train, test, c.classes, c.k, c.temperature);
    const auto found =
        evaluate::evaluate_knn(samples::share_of(train, test_session()), samples::share_of(test, test_session()),
                               c.classes, {.k = c.k, .temperature = c.temperature}, machine.runtime);
    INFO(c.train << " training, " << c.test << " test samples, k " << c.k);
    CHECK(expected.top1 > 15);  // the case asks something
    CHECK(expected.top1 < 99);
    CHECK(found.top1 == Approx(expected.top1).margin(1e-9));
    CHECK(found.top5 == Approx(expected.top5).margin(1e-9));
  }
}

TEST_CASE("kNN survives features that are zero", "[evaluate]") {
  samples::Machine machine(test_session());
  auto train = samples::make(40, 6, 4, 0.1, 2);
  std::fill(train.values.begin(), train.values.begin() + 60, 0.0F);
  auto test = samples::make(20, 6, 4, 0.1, 3);
  std::fill(test.values.begin(), test.values.begin() + 6, 0.0F);
  const auto found = evaluate::evaluate_knn(samples::share_of(train, test_session()),
                                            samples::share_of(test, test_session()), 4, {.k = 5}, machine.runtime);
  CHECK(found.top1 >= 95);
  CHECK(found.top5 == 100);
}
