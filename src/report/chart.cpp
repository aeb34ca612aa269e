// SPDX-License-Identifier: Apache-2.0
#include "chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "markup.hpp"

namespace barlow::report {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kFewPoints = 40;  // so few are drawn as dots, too

/// What is drawn of one series.
struct Line {
  std::vector<double> mean, low, high;
};

/// Points are taken together in runs of this many neighbours.
std::size_t group_size(std::size_t count) { return (count + kMaxPoints - 1) / kMaxPoints; }

Line thin_out(const std::vector<double>& values, std::size_t group) {
  Line line;
  for (std::size_t first = 0; first < values.size(); first += group) {
    double sum = 0, low = kUnknown, high = kUnknown;
    int count = 0;
    for (std::size_t i = first; i < std::min(first + group, values.size()); ++i) {
      if (!std::isfinite(values[i])) continue;
      low = std::fmin(low, values[i]);
      high = std::fmax(high, values[i]);
      sum += values[i];
      ++count;
    }
    line.mean.push_back(count > 0 ? sum / count : kUnknown);
    line.low.push_back(low);
    line.high.push_back(high);
  }
  return line;
}

/// `M x y L x y ...` in a square of side 1000, interrupted where a value is missing.
std::string path_of(const std::vector<double>& x, const std::vector<double>& y, const Axis& x_axis,
                    const Axis& y_axis) {
  std::string path;
  bool pen_is_down = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double place = y_axis.place(y[i]);
    if (std::isfinite(place) && std::isfinite(x[i])) {
      path += fmt::format("{}{:.1f} {:.1f}", pen_is_down ? 'L' : 'M', 1000 * x_axis.place(x[i]), 1000 - 1000 * place);
      pen_is_down = true;
    } else {
      pen_is_down = false;
    }
  }
  return path;
}

/// Lines of no length, which round line ends make dots of.
std::string dots_of(const std::vector<double>& x, const std::vector<double>& y, const Axis& x_axis,
                    const Axis& y_axis) {
  std::string path;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double place = y_axis.place(y[i]);
    if (std::isfinite(place) && std::isfinite(x[i]))
      path += fmt::format("M{:.1f} {:.1f}h0", 1000 * x_axis.place(x[i]), 1000 - 1000 * place);
  }
  return path;
}

/// The area between two lines; points with a gap in either are left out.
std::string band_of(const std::vector<double>& x, const Line& line, const Axis& x_axis, const Axis& y_axis) {
  std::string there, back;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double low = y_axis.place(line.low[i]), high = y_axis.place(line.high[i]);
    if (!std::isfinite(low) || !std::isfinite(high)) continue;
    const double at = 1000 * x_axis.place(x[i]);
    there += fmt::format("{}{:.1f} {:.1f}", there.empty() ? 'M' : 'L', at, 1000 - 1000 * high);
    back.insert(0, fmt::format("L{:.1f} {:.1f}", at, 1000 - 1000 * low));
  }
  return there + back + (there.empty() ? "" : "Z");
}

std::string json_of(const std::vector<double>& values, int digits) {
  std::string text = "[";
  for (const double value : values) {
    if (text.size() > 1) text += ',';
    text += std::isfinite(value) ? fmt::format("{:.{}g}", value, digits) : "null";
  }
  return text + "]";
}

Axis y_axis_of(const Chart& chart, const std::vector<Line>& lines, Scale scale) {
  double low = kUnknown, high = kUnknown;
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.mean.size(); ++i) {
      if (scale == Scale::kLog && !(line.low[i] > 0)) continue;
      low = std::fmin(low, line.low[i]);
      high = std::fmax(high, line.high[i]);
    }
  }
  if (scale == Scale::kLinear && std::isfinite(low)) {
    low = std::min(low, 0.0);
    high = std::max(high, chart.up_to);
  }
  return make_axis(low, high, scale, true);
}

/// The square with lines, for one scale of y.
std::string plot(const Chart& chart, const std::vector<double>& x, const std::vector<Line>& lines, const Axis& x_axis,
                 const Axis& y_axis, bool is_hidden) {
  std::string y_labels, grid, drawn, names;
  for (const double tick : y_axis.ticks) {
    const double place = y_axis.place(tick);
    y_labels += fmt::format("<span style=\"bottom:{:.2f}%\">{}</span>", 100 * place, to_tick(tick));
    grid += fmt::format("M0 {0:.1f}H1000", 1000 - 1000 * place);
  }
  const bool has_bands = group_size(chart.x.size()) > 1;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Series& series = chart.series[i];
    if (has_bands) {
      drawn += fmt::format("<path class=\"band {}\" d=\"{}\"/>", series.style, band_of(x, lines[i], x_axis, y_axis));
    }
    drawn += fmt::format("<path class=\"line {}\" d=\"{}\"/>", series.style, path_of(x, lines[i].mean, x_axis, y_axis));
    if (x.size() <= kFewPoints && series.style != "floor") {
      drawn +=
          fmt::format("<path class=\"dots {}\" d=\"{}\"/>", series.style, dots_of(x, lines[i].mean, x_axis, y_axis));
    }
    const double begin = lines[i].mean.empty() ? kUnknown : y_axis.place(lines[i].mean.front());
    if (series.named_at_line && std::isfinite(begin)) {
      names += fmt::format("<span class=\"name {}\" style=\"bottom:{:.2f}%\">{}</span>", series.style, 100 * begin,
                           escape(series.name));
    }
  }
  std::string x_labels;
  for (const double tick : x_axis.ticks)
    x_labels += fmt::format("<span style=\"left:{:.2f}%\">{}</span>", 100 * x_axis.place(tick), to_tick(tick));
  return fmt::format(
      "<div class=\"plot\"{}><div class=\"y\">{}</div><div class=\"area\"><svg viewBox=\"0 0 1000 1000\" "
      "preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"grid\" d=\"{}\"/>{}</svg>{}<i></i></div>"
      "<div class=\"x\">{}</div><div class=\"x-name\">{}</div></div>",
      is_hidden ? " hidden" : "", y_labels, grid, drawn, names, x_labels, escape(chart.x_name));
}

std::string legend(const Chart& chart, const std::vector<Line>& lines) {
  std::string items;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double last = lines[i].mean.empty() ? kUnknown : lines[i].mean.back();
    items += fmt::format("<li class=\"{}\"><i></i>{}<b>{}</b></li>", chart.series[i].style,
                         escape(chart.series[i].name), to_number(last));
  }
  return "<ul class=\"legend\">" + items + "</ul>";
}

}  // namespace

std::string draw(const Chart& chart) {
  const std::size_t group = group_size(chart.x.size());
  const std::vector<double> x = group > 1 ? thin_out(chart.x, group).mean : chart.x;
  std::vector<Line> lines;
  std::string values;
  for (const Series& series : chart.series) {
    lines.push_back(thin_out(series.values, std::max<std::size_t>(1, group)));
    values += (values.empty() ? "" : ",") + json_of(lines.back().mean, 5);
  }
  const Axis x_axis = make_axis(0, x.empty() ? 1 : chart.x.back(), Scale::kLinear, false);
  std::string plots, choice;
  for (const Scale scale : chart.scales) {
    plots += plot(chart, x, lines, x_axis, y_axis_of(chart, lines, scale), !plots.empty());
    if (chart.scales.size() > 1)
      choice += fmt::format("<button type=\"button\">{}</button>", scale == Scale::kLog ? "log" : "linear");
  }
  if (!choice.empty()) choice = "<div class=\"scales\">" + choice + "</div>";
  return fmt::format(
      "<figure class=\"chart\" aria-label=\"{0}\" data-from=\"{1:.9g}\" data-to=\"{2:.9g}\" data-x=\"{3}\" "
      "data-values=\"[{4}]\"><figcaption><div class=\"head\"><h3>{0} <small>{5}</small></h3>{6}</div>{7}{8}"
      "</figcaption>{9}</figure>\n",
      escape(chart.title), x_axis.low, x_axis.high, json_of(x, 9), values, escape(chart.unit), choice,
      chart.note.empty() ? "" : "<p>" + escape(chart.note) + "</p>", legend(chart, lines), plots);
}

}  // namespace barlow::report
