// SPDX-License-Identifier: Apache-2.0
#include "axis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace barlow::report {
namespace {

/// 1, 2 or 5 times a power of ten, so that about five steps cover the range.
double round_step(double range) {
  const double raw = range / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.999) return factor * power;
  }
  return 10 * power;
}

Axis linear_axis(double low, double high, bool widen) {
  if (!(high > low)) {  // one value: some room around it
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low -= low >= 0 && low - room < 0 ? low : room;
    high += room;
  }
  Axis axis{Scale::kLinear, low, high, {}};
  const double step = round_step(high - low);
  if (widen) {
    axis.low = std::floor(low / step + 1e-9) * step;
    axis.high = std::ceil(high / step - 1e-9) * step;
  }
  // By whole multiples: repeated addition would make 0.30000000000000004 of 0.3.
  const auto first = static_cast<long long>(std::ceil(axis.low / step - 1e-9));
  const auto last = static_cast<long long>(std::floor(axis.high / step + 1e-9));
  for (long long i = first; i <= last; ++i) axis.ticks.push_back(static_cast<double>(i) * step);
  return axis;
}

Axis log_axis(double low, double high, bool widen) {
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  std::vector<double> candidates;
  const int stride = std::max(1, (last - first) / 6);
  for (int power = first; power <= last; power += stride) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor == 1 || last - first <= 2) candidates.push_back(factor * std::pow(10, power));
    }
  }
  Axis axis{Scale::kLog, low, high, {}};
  if (widen) {
    for (const double tick : candidates) {
      if (tick <= low * 1.0001) axis.low = tick;
    }
    const auto above = std::find_if(candidates.begin(), candidates.end(), [&](double t) { return t >= high * 0.9999; });
    if (above != candidates.end()) axis.high = *above;
    if (axis.high <= axis.low) axis.high = axis.low * 10;
  }
  for (const double tick : candidates) {
    if (tick >= axis.low * 0.9999 && tick <= axis.high * 1.0001) axis.ticks.push_back(tick);
  }
  return axis;
}

}  // namespace

double Axis::place(double value) const {
  if (scale == Scale::kLinear) return (value - low) / (high - low);
  if (!(value > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::log(value / low) / std::log(high / low);
}

Axis make_axis(double low, double high, Scale scale, bool widen) {
  if (!std::isfinite(low) || !std::isfinite(high)) return linear_axis(0, 1, widen);
  if (scale == Scale::kLog && low > 0 && (high > low || widen)) return log_axis(low, high, widen);
  return linear_axis(low, high, widen);
}

}  // namespace barlow::report
