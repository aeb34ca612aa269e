// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "axis.hpp"

namespace barlow::report {

/// One line of a chart. NaN is a gap.
struct Series {
  std::string name;
  std::string style;  ///< its class in page.css: `first`, `second`, `third` or `floor`
  std::vector<double> values;
  bool named_at_line = false;  ///< the name stands at the line's beginning, too
};

/// Lines over a common x.
struct Chart {
  std::string title, unit, x_name;
  std::vector<double> x;  ///< rising, from 0 or above
  std::vector<Series> series;
  std::vector<Scale> scales = {Scale::kLinear};  ///< more than one: the reader chooses, the first is shown
  double up_to = 0;                              ///< linear axes reach from 0 to this, if no further
  std::string note{};                            ///< a sentence below the title
};

/// Long series are drawn as means of equally many neighbours, with a band from least to greatest.
inline constexpr std::size_t kMaxPoints = 500;

/// A `<figure>`: labels are text of the page, so that they keep their size when the plot is stretched; the lines are
/// SVG. The values that are drawn are kept in `data-` attributes for page.js.
std::string draw(const Chart& chart);

}  // namespace barlow::report
