// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace barlow::report {

/// metrics.jsonl by columns of equal length; what a line lacks is NaN.
class Metrics {
 public:
  std::size_t size() const { return column("step").size(); }
  bool empty() const { return size() == 0; }
  /// One of the fields of metrics.jsonl; `time` in seconds since 1970.
  const std::vector<double>& column(const std::string& name) const { return columns_.at(name); }
  double last(const std::string& name) const { return column(name).back(); }

 private:
  friend Metrics read_metrics(const std::filesystem::path& path);
  std::map<std::string, std::vector<double>> columns_;
};

/// One protocol's result for one encoder.
struct Evaluation {
  std::string protocol;
  std::string encoder;  ///< for people: `this run`, `untrained`, `raw pixels` or a path
  double top1 = 0, top5 = 0;
  std::int64_t train_images = 0, test_images = 0;
};

/// What snapshot.h5 holds.
struct Snapshot {
  std::int64_t step = 0;
  std::int64_t num_images = 0, side = 0;
  std::vector<std::uint8_t> views;  ///< [2, num_images, side, side, 3]
  std::int64_t width = 0;
  std::vector<float> correlation;  ///< [width, width]
};

/// Everything that a report shows, read once.
struct RunFolder {
  std::filesystem::path path;
  Metrics metrics;
  std::string configuration;                    ///< config.toml as it is
  std::map<std::string, std::string> settings;  ///< its keys and values, strings unquoted
  std::vector<Evaluation> evaluations;
  std::optional<Snapshot> snapshot;
  bool is_finished = false;
  std::vector<std::string> complaints;  ///< files that are there and cannot be read

  /// The setting, or an empty text.
  std::string setting(const std::string& key) const;
};

/// Lines that are no JSON object (a last line still being written) are left out; steps that repeat keep the later line.
Metrics read_metrics(const std::filesystem::path& path);

/// @throws DataError if `path` is no folder or has neither configuration nor metrics.
RunFolder read_run(const std::filesystem::path& path);

}  // namespace barlow::report
