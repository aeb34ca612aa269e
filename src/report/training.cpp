// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "barlow/train/metrics.hpp"
#include "chart.hpp"
#include "markup.hpp"
#include "sections.hpp"

namespace barlow::report {
namespace {

/// A positive number of the configuration, or 0.
double number_setting(const RunFolder& run, const std::string& key) {
  const std::string text = run.setting(key);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end != text.c_str() && std::isfinite(value) && value > 0 ? value : 0;
}

/// Seconds that the logged steps took, pauses between starts left out.
double training_seconds(const RunFolder& run) {
  const double batch = number_setting(run, "batch-size");
  const auto& step = run.metrics.column("step");
  const auto& rate = run.metrics.column("images_per_second");
  double seconds = 0, before = 0;
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (rate[i] > 0) seconds += (step[i] - before) * batch / rate[i];
    before = step[i];
  }
  return seconds;
}

double median(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return std::nan("");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string tile(const std::string& name, const std::string& value, const std::string& remark) {
  return fmt::format("<div class=\"tile\"><dt>{}</dt><dd>{}<small>{}</small></dd></div>", escape(name), escape(value),
                     escape(remark));
}

/// The best top-1 of this run's encoder.
std::string accuracy_tile(const RunFolder& run) {
  const Evaluation* best = nullptr;
  for (const Evaluation& e : run.evaluations) {
    if (e.encoder == "this run" && (best == nullptr || e.top1 > best->top1)) best = &e;
  }
  if (best == nullptr) return "";
  return tile("Top-1", fmt::format("{:.2f} %", best->top1), best->protocol == "knn" ? "kNN" : best->protocol);
}

std::vector<double> times(const std::vector<double>& values, double factor) {
  std::vector<double> scaled;
  for (const double value : values) scaled.push_back(value * factor);
  return scaled;
}

Chart one_line(const Metrics& m, const std::string& title, const std::string& unit, const std::string& name,
               const std::string& column, double factor = 1) {
  return {.title = title,
          .unit = unit,
          .x_name = "step",
          .x = m.column("step"),
          .series = {{name, "first", times(m.column(column), factor)}}};
}

std::string loss_chart(const RunFolder& run) {
  const Metrics& m = run.metrics;
  Chart chart{.title = "Loss",
              .unit = "",
              .x_name = "step",
              .x = m.column("step"),
              .series = {{"loss", "first", m.column("loss")},
                         {"on-diagonal", "second", m.column("on_diagonal")},
                         {"off-diagonal", "third", m.column("off_diagonal")},
                         {"noise floor", "floor", m.column("noise_floor"), true}},
              .scales = {Scale::kLog, Scale::kLinear}};
  chart.note =
      "The loss is the sum of both terms. Features that have nothing to do with each other would still cost the noise "
      "floor, because a batch is finite: an off-diagonal term near it is as good as it gets.";
  return draw(chart);
}

std::string progress_chart(const Metrics& m) {
  const auto& time = m.column("time");
  if (time.size() < 2 || !(time.back() > time.front())) return "";
  std::vector<double> elapsed;
  for (const double at : time) elapsed.push_back(at - time.front());
  const double span = elapsed.back();
  const double unit = span > 2 * 86400 ? 86400 : span > 2 * 3600 ? 3600 : 60;
  const char* name = span > 2 * 86400 ? "days" : span > 2 * 3600 ? "hours" : "minutes";
  return draw({.title = "Progress",
               .unit = "epochs",
               .x_name = std::string(name) + " by the clock, pauses included",
               .x = times(elapsed, 1 / unit),
               .series = {{"epochs done", "first", m.column("epoch")}}});
}

}  // namespace

std::string summary_section(const RunFolder& run) {
  if (run.metrics.empty()) return "<p class=\"missing\">No step has been logged yet.</p>";
  const Metrics& m = run.metrics;
  const double epochs = number_setting(run, "epochs"), batch = number_setting(run, "batch-size");
  const double last = m.last("loss"), floor = m.last("noise_floor");
  std::string tiles;
  tiles += tile("Steps", to_number(m.last("step")), batch > 0 ? fmt::format("of {} images", to_number(batch)) : "");
  tiles += tile("Epochs", to_number(std::round(m.last("epoch") * 100) / 100),
                epochs > 0 ? fmt::format("of {}", to_number(epochs)) : "");
  tiles += tile("Loss", to_number(last), fmt::format("noise floor {}", to_number(floor)));
  tiles += tile("Images per second", to_number(median(m.column("images_per_second"))), "median; an image is two views");
  const double seconds = training_seconds(run);
  if (seconds > 0) tiles += tile("Training time", train::to_duration(seconds), "pauses left out");
  return "<dl class=\"tiles\">" + tiles + accuracy_tile(run) + "</dl>\n";
}

std::string training_section(const RunFolder& run) {
  if (run.metrics.empty()) return "";
  const Metrics& m = run.metrics;
  std::string html = "<section><h2>Training</h2>" + loss_chart(run) + "<div class=\"grid\">";
  html += draw(one_line(m, "Throughput", "images/s", "all ranks", "images_per_second"));
  Chart stall = one_line(m, "Waiting for images", "% of the time", "loader stall", "loader_wait_share", 100);
  stall.up_to = 5;  // what is less than that is no stall, and must not look like one
  html += draw(stall);
  html += draw(one_line(m, "Learning rate of weights", "", "rate", "learning_rate_weights"));
  html += draw(one_line(m, "Learning rate of 1-D tensors", "", "rate", "learning_rate_biases"));
  Chart norm = one_line(m, "Gradient norm", "", "norm", "gradient_norm");
  norm.scales = {Scale::kLog, Scale::kLinear};
  html += draw(norm);
  html += progress_chart(m);
  return html + "</div></section>\n";
}

}  // namespace barlow::report
