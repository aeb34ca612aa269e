// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "markup.hpp"
#include "sections.hpp"

namespace barlow::report {
namespace {

struct Color {
  std::uint8_t red, green, blue;
};
constexpr Color kPositive{37, 99, 235}, kNegative{217, 90, 20};

/// Strength of a correlation's colour: the root, because nearly all off-diagonal values are small.
double strength(double correlation) { return std::sqrt(std::min(1.0, std::abs(correlation))); }

/// Zero is transparent, so that one picture suits a light and a dark page.
void append_pixel(std::vector<std::uint8_t>& pixels, double correlation) {
  const Color color = correlation < 0 ? kNegative : kPositive;
  const double opacity = std::isfinite(correlation) ? 255 * strength(correlation) : 0;
  pixels.insert(pixels.end(), {color.red, color.green, color.blue, static_cast<std::uint8_t>(std::lround(opacity))});
}

/// The colours from -1 to 1, evenly in what the eye sees.
std::string scale_of_colors() {
  constexpr int kWidth = 256;
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < kWidth; ++i) {
    const double place = 2.0 * i / (kWidth - 1) - 1;
    append_pixel(pixels, place * std::abs(place));
  }
  std::string labels;
  for (const double value : {-1.0, -0.25, 0.0, 0.25, 1.0}) {
    const double place = 50 + 50 * (value < 0 ? -1 : 1) * strength(value);
    labels += fmt::format("<span style=\"left:{:.1f}%\">{}</span>", place, to_tick(value));
  }
  return fmt::format(
      "<div class=\"colors\"><img alt=\"colours from -1 to 1\" src=\"{}\"><div class=\"x\">{}</div></div>",
      png_url(pixels, kWidth, 1, 4), labels);
}

/// What the block says in numbers.
std::string describe(const Snapshot& s) {
  double diagonal = 0, squares = 0;
  for (std::int64_t i = 0; i < s.width; ++i) {
    for (std::int64_t j = 0; j < s.width; ++j) {
      const double c = s.correlation[static_cast<std::size_t>(i * s.width + j)];
      (i == j ? diagonal : squares) += i == j ? c : c * c;
    }
  }
  const auto width = static_cast<double>(s.width);
  std::string text = fmt::format("On the diagonal the mean is <b>{}</b> (1 is the goal)", to_number(diagonal / width));
  if (s.width > 1)
    text += fmt::format("; off it, the root mean square is <b>{}</b> (0 is the goal)",
                        to_number(std::sqrt(squares / (width * (width - 1)))));
  return text + ".";
}

/// Hundredths, for the reader who points at a cell.
std::string cells_of(const Snapshot& s) {
  std::string cells;
  for (const float c : s.correlation) {
    if (!cells.empty()) cells += ' ';
    cells += std::isfinite(c) ? std::to_string(std::lround(100 * c)) : "x";
  }
  return cells;
}

const char* protocol_name(const std::string& protocol) {
  return protocol == "knn" ? "Nearest neighbours" : protocol == "linear" ? "Linear classifier" : protocol.c_str();
}

std::string evaluation_row(const Evaluation& e) {
  return fmt::format(
      "<tr class=\"{}\"><th scope=\"row\">{}</th><td class=\"bar\"><div><i style=\"width:{:.2f}%\"></i></div></td>"
      "<td>{:.2f}</td><td>{:.2f}</td></tr>",
      e.encoder == "this run" ? "own" : "", escape(e.encoder), std::clamp(e.top1, 0.0, 100.0), e.top1, e.top5);
}

std::string image(const Snapshot& s, std::int64_t view, std::int64_t number) {
  const auto bytes = static_cast<std::size_t>(s.side * s.side * 3);
  const auto* first = s.views.data() + static_cast<std::size_t>(view * s.num_images + number) * bytes;
  return fmt::format("<img class=\"{}\" alt=\"image {}, view {}\" src=\"{}\">", s.side <= 96 ? "pixels" : "",
                     number + 1, view + 1, png_url({first, bytes}, s.side, s.side, 3));
}

}  // namespace

std::string evaluation_section(const RunFolder& run) {
  std::string html = "<section><h2>Evaluation</h2>";
  if (run.evaluations.empty()) {
    return html +
           "<p class=\"missing\">No evaluation-*.json in the run folder yet; <code>barlow evaluate</code> writes "
           "one with <code>--json</code>.</p></section>\n";
  }
  std::vector<Evaluation> rows = run.evaluations;
  std::stable_sort(rows.begin(), rows.end(), [](const Evaluation& a, const Evaluation& b) {
    return a.protocol != b.protocol ? a.protocol < b.protocol : a.top1 > b.top1;
  });
  html += "<div class=\"grid\">";
  for (std::size_t first = 0; first < rows.size();) {
    std::size_t end = first;
    std::int64_t train_images = 0, test_images = 0;  // older results may lack them
    std::string body;
    for (; end < rows.size() && rows[end].protocol == rows[first].protocol; ++end) {
      body += evaluation_row(rows[end]);
      train_images = std::max(train_images, rows[end].train_images);
      test_images = std::max(test_images, rows[end].test_images);
    }
    html += fmt::format(
        "<figure><h3>{} <small>{} training, {} test images</small></h3><table><thead><tr>"
        "<th scope=\"col\">features</th><th aria-hidden=\"true\"></th><th scope=\"col\">top-1 %</th>"
        "<th scope=\"col\">top-5 %</th></tr></thead><tbody>{}</tbody></table></figure>",
        escape(protocol_name(rows[first].protocol)), to_number(static_cast<double>(train_images)),
        to_number(static_cast<double>(test_images)), body);
    first = end;
  }
  return html + "</div></section>\n";
}

std::string correlation_section(const RunFolder& run) {
  std::string html = "<section><h2>Cross-correlation</h2>";
  if (!run.snapshot || run.snapshot->width == 0) {
    return html + "<p class=\"missing\">No snapshot yet; it comes with the first checkpoint.</p></section>\n";
  }
  const Snapshot& s = *run.snapshot;
  std::vector<std::uint8_t> pixels;
  for (const float c : s.correlation) append_pixel(pixels, c);
  return html + fmt::format(
                    "<figure class=\"map\"><div class=\"cells\" data-width=\"{0}\" data-cells=\"{1}\"><img "
                    "class=\"pixels\" alt=\"correlation of {0} features of view 1 with those of view 2\" src=\"{2}\">"
                    "</div><div class=\"beside\"><p>How features of view 1 (rows) go with features of view 2 (columns) "
                    "in the batch of step {3}: the first {0} of the embedding. {4}</p>{5}<p class=\"readout\" "
                    "aria-live=\"polite\"></p></div></figure></section>\n",
                    s.width, cells_of(s), png_url(pixels, s.width, s.width, 4), to_number(static_cast<double>(s.step)),
                    describe(s), scale_of_colors());
}

std::string views_section(const RunFolder& run) {
  if (!run.snapshot || run.snapshot->num_images == 0) return "";
  const Snapshot& s = *run.snapshot;
  std::string pairs;
  for (std::int64_t i = 0; i < s.num_images; ++i)
    pairs += "<div class=\"pair\">" + image(s, 0, i) + image(s, 1, i) + "</div>";
  return fmt::format(
      "<section><h2>Views</h2><p>What the network sees: two views of each image, {0} x {0} pixels, from the batch "
      "of step {1}. View 1 is on the left.</p><div class=\"views\">{2}</div></section>\n",
      s.side, to_number(static_cast<double>(s.step)), pairs);
}

std::string configuration_section(const RunFolder& run) {
  std::string html = "<section><h2>Configuration</h2>";
  if (run.settings.empty()) return html + "<p class=\"missing\">No config.toml in the run folder.</p></section>\n";
  std::string rows;
  for (const auto& [key, value] : run.settings)
    rows += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape(key), escape(value.empty() ? "–" : value));
  return html + fmt::format(
                    "<dl class=\"settings\">{}</dl><details><summary>config.toml</summary><pre>{}</pre></details>"
                    "</section>\n",
                    rows, escape(run.configuration));
}

}  // namespace barlow::report
