// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "barlow/base/error.hpp"
#include "barlow/data/sampler.hpp"
#include "support/catch.hpp"

using namespace barlow;
using data::Sampler;

TEST_CASE("an epoch shows every image once, in an order of its own") {
  Sampler sampler(100, 10, 7);
  REQUIRE(sampler.steps_per_epoch() == 10);
  std::vector<std::int64_t> first, second;
  for (std::int64_t step = 0; step < 10; ++step) {
    for (const auto id : sampler.sample_ids(step, 0, 1)) first.push_back(id);
    for (const auto id : sampler.sample_ids(10 + step, 0, 1)) second.push_back(id);
  }
  CHECK(std::set(first.begin(), first.end()).size() == 100);
  CHECK(first != second);
  CHECK(std::is_permutation(first.begin(), first.end(), second.begin()));
  CHECK_FALSE(std::is_sorted(first.begin(), first.end()));
}

TEST_CASE("the global batch does not depend on the number of ranks") {
  Sampler sampler(1000, 24, 3);
  for (const std::int64_t step : {0, 5, 40, 41, 100}) {
    const auto whole = sampler.sample_ids(step, 0, 1);
    for (const int world_size : {2, 3, 4, 24}) {
      std::vector<std::int64_t> joined;
      for (int rank = 0; rank < world_size; ++rank) {
        const auto part = sampler.sample_ids(step, rank, world_size);
        joined.insert(joined.end(), part.begin(), part.end());
      }
      CHECK(joined == whole);
    }
  }
}

TEST_CASE("what does not fill a batch is dropped, or makes a smaller one") {
  Sampler drop(25, 10, 0);
  CHECK(drop.steps_per_epoch() == 2);
  CHECK(drop.last_batch_of_epoch() == 10);
  Sampler official(25, 10, 0, data::LastBatch::kOfficial);
  CHECK(official.steps_per_epoch() == 3);
  CHECK(official.last_batch_of_epoch() == 5);
  CHECK(official.sample_ids(2, 0, 1).size() == 5);
  CHECK(official.sample_ids(3, 0, 1).size() == 10);
  CHECK_THROWS_AS(Sampler(9, 10, 0), ConfigError);
}
