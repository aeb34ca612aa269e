// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "axis.hpp"
#include "support/catch.hpp"

using namespace barlow::report;

TEST_CASE("a linear axis begins and ends at round numbers and labels them", "[report]") {
  const Axis axis = make_axis(0, 437.7, Scale::kLinear, true);
  CHECK(axis.ticks == std::vector<double>{0, 100, 200, 300, 400, 500});
  CHECK(axis.low == 0);
  CHECK(axis.high == 500);
  CHECK(axis.place(250) == Approx(0.5));
}

TEST_CASE("an axis that is not widened ends at its values", "[report]") {
  const Axis axis = make_axis(50, 374, Scale::kLinear, false);
  CHECK(axis.place(50) == 0);
  CHECK(axis.place(374) == 1);
  CHECK(axis.ticks == std::vector<double>{100, 200, 300});
}

TEST_CASE("a logarithmic axis covers its values at equal ratios", "[report]") {
  const Axis narrow = make_axis(30, 900, Scale::kLog, true);
  CHECK(narrow.low == Approx(20));
  CHECK(narrow.high == Approx(1000));
  CHECK(narrow.place(std::sqrt(narrow.low * narrow.high)) == Approx(0.5));
  const Axis wide = make_axis(1e-6, 1e6, Scale::kLog, true);
  CHECK(wide.ticks.size() >= 4);
  CHECK(wide.ticks.size() <= 8);
  CHECK(wide.low <= 1e-6 * 1.001);
  CHECK(wide.high >= 1e6 * 0.999);
  CHECK(std::isnan(wide.place(0)));
}

TEST_CASE("degenerate ranges still make an axis", "[report]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  struct Range {
    double low, high;
  };
  for (const Scale scale : {Scale::kLinear, Scale::kLog}) {
    for (const Range range : {Range{0, 0}, {5, 5}, {-3, -3}, {nan, nan}, {0, 10}, {-1, 1}, {1e-300, 1e-300}}) {
      for (const bool widen : {true, false}) {
        const Axis axis = make_axis(range.low, range.high, scale, widen);
        INFO(range.low << " " << range.high << " " << widen);
        if (scale == Scale::kLinear || widen) CHECK(axis.high > axis.low);
        CHECK(axis.ticks.size() <= 13);
        for (const double tick : axis.ticks) {
          CHECK(axis.place(tick) >= -1e-3);
          CHECK(axis.place(tick) <= 1 + 1e-3);
        }
        if (!std::isnan(range.low) && axis.scale == Scale::kLinear) {
          CHECK(axis.place(range.low) >= 0);
          CHECK(axis.place(range.high) <= 1);
        }
      }
    }
  }
}
