// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "samples.hpp"

using namespace barlow;

TEST_CASE("features are scaled by the training samples of all ranks", "[evaluate]") {
  samples::Machine machine(test_session());
  auto all = samples::make(101, 7, 5, 1, 2);
  for (std::size_t i = 3; i < all.values.size(); i += 7) all.values[i] = 4;  // a dead feature
  for (std::size_t i = 5; i < all.values.size(); i += 7) all.values[i] += 100;
  const auto other = samples::make(20, 7, 5, 1, 3);
  auto train = samples::share_of(all, test_session());
  auto test = samples::share_of(other, test_session());
  evaluate::standardize(train, test, machine.runtime);

  for (std::size_t feature = 0; feature < 7; ++feature) {
    double mean = 0, square = 0;
    for (std::size_t i = feature; i < all.values.size(); i += 7) mean += all.values[i] / 101.0;
    for (std::size_t i = feature; i < all.values.size(); i += 7) square += std::pow(all.values[i] - mean, 2) / 101;
    const auto expected = [&](double value) { return feature == 3 ? 0 : (value - mean) / std::sqrt(square); };
    const auto world_size = static_cast<std::size_t>(test_session().world_size());
    const auto rank = static_cast<std::size_t>(test_session().rank());
    for (std::size_t row = 0; row < train.labels.size(); ++row) {
      const double value = all.values[(row * world_size + rank) * 7 + feature];
      CHECK(train.values[row * 7 + feature] == Approx(expected(value)).margin(2e-4));
    }
    for (std::size_t row = 0; row < test.labels.size(); ++row) {
      const double value = other.values[(row * world_size + rank) * 7 + feature];
      CHECK(test.values[row * 7 + feature] == Approx(expected(value)).epsilon(1e-4).margin(2e-4));
    }
  }
}
