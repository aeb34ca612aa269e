// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace barlow::report {

enum class Scale { kLinear, kLog };

/// One side of a chart: where values lie and which are labelled.
struct Axis {
  Scale scale = Scale::kLinear;
  double low = 0, high = 1;
  std::vector<double> ticks;  ///< round numbers inside low..high, rising

  /// 0 at low, 1 at high; NaN for what the scale cannot show (0 and below on a logarithmic one).
  double place(double value) const;
};

/// An axis for values from `low` to `high`, with about five ticks. With `widen` it begins and ends at round numbers,
/// otherwise exactly at the values. A logarithmic scale without positive values becomes linear.
Axis make_axis(double low, double high, Scale scale, bool widen);

}  // namespace barlow::report
