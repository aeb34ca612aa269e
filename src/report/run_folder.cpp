// SPDX-License-Identifier: Apache-2.0
#include "run_folder.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "barlow/base/error.hpp"
#include "barlow/base/files.hpp"
#include "barlow/base/whole_number.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "barlow/train/run_folder.hpp"

namespace barlow::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::array kColumns = {"step",
                                 "epoch",
                                 "loss",
                                 "on_diagonal",
                                 "off_diagonal",
                                 "noise_floor",
                                 "learning_rate_weights",
                                 "learning_rate_biases",
                                 "gradient_norm",
                                 "images_per_second",
                                 "loader_wait_share",
                                 "time"};
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// `2026-11-24T03:52:03Z` or a number of seconds, in seconds since 1970.
double parse_time(const Json& value) {
  if (value.is_number()) return value.get<double>();
  std::tm parts{};
  if (!value.is_string() || strptime(value.get<std::string>().c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr)
    return kUnknown;
  return static_cast<double>(timegm(&parts));
}

/// `key = value` lines of the flat TOML that a run writes.
std::map<std::string, std::string> parse_settings(const std::string& toml) {
  std::map<std::string, std::string> settings;
  std::istringstream lines(toml);
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find(" = ");
    if (line.starts_with("#") || equals == std::string::npos) continue;
    std::string value = line.substr(equals + 3);
    if (value.starts_with("\"")) {
      const Json text = Json::parse(value, nullptr, false);
      if (text.is_string()) value = text.get<std::string>();
    }
    settings[line.substr(0, equals)] = value;
  }
  return settings;
}

/// The encoder's name for people: the newest weights inside the run are the run itself, others have their name, too. A
/// path of another working folder or machine leads nowhere here: its folder then goes by its name.
std::string encoder_name(const std::string& encoder, const fs::path& run) {
  std::error_code ignored;
  const fs::path file = fs::weakly_canonical(encoder, ignored);
  const fs::path folder = fs::weakly_canonical(run, ignored);
  const bool is_from_elsewhere = !fs::exists(file, ignored) && file.parent_path().filename() == folder.filename();
  if (file.empty() || (file != folder && file.parent_path() != folder && !is_from_elsewhere)) return encoder;
  const std::string name = file.filename().string();
  const bool is_newest = file == folder || name == "checkpoint.h5" || name == train::kWeightsFile;
  return is_newest ? "this run" : "this run, " + name;
}

void add_evaluation(const Json& object, RunFolder& run) {
  Evaluation e;
  e.protocol = object.at("protocol").get<std::string>();
  e.encoder = encoder_name(object.value("encoder", "this run"), run.path);
  e.top1 = object.at("top1").get<double>();
  e.top5 = object.at("top5").get<double>();
  e.train_images = to_whole_number(object.value("train_images", 0.0));
  e.test_images = to_whole_number(object.value("test_images", 0.0));
  run.evaluations.push_back(std::move(e));
}

void read_evaluations(RunFolder& run) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run.path, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("evaluation") && name.ends_with(".json")) files.push_back(entry.path());
  }
  if (error) fail_reading(run.path, error.value());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    try {
      const Json content = Json::parse(read_text(file));
      if (content.is_array()) {
        for (const Json& object : content) add_evaluation(object, run);
      } else {
        add_evaluation(content, run);
      }
    } catch (const Json::exception&) {
      run.complaints.push_back(file.filename().string() + " is not the result of an evaluation");
    }
  }
}

Snapshot read_snapshot(const fs::path& path) {
  const auto file = train::Hdf5File::open(path);
  const Shape views = file.shape_of("views");
  const Shape correlation = file.shape_of("cross_correlation");
  constexpr std::int64_t kMaxImages = 64, kMaxSide = 4096, kMaxWidth = 1024;
  if (views.rank() != 5 || views[0] != 2 || views[1] > kMaxImages || views[2] > kMaxSide || views[2] != views[3] ||
      views[4] != 3 || correlation.rank() != 2 || correlation[0] != correlation[1] || correlation[0] > kMaxWidth) {
    throw DataError("\"" + path.string() + "\": views are " + views.to_string() + " and cross_correlation is " +
                    correlation.to_string() + ", which is no snapshot of a run");
  }
  Snapshot s;
  s.step = file.read_int("/", "step");
  s.num_images = views[1];
  s.side = views[2];
  s.views.resize(static_cast<std::size_t>(views.num_elements()));
  file.read("views", TensorView(s.views.data(), DType::kU8, views));
  s.width = correlation[0];
  s.correlation.resize(static_cast<std::size_t>(correlation.num_elements()));
  file.read("cross_correlation", TensorView(s.correlation.data(), DType::kF32, correlation));
  return s;
}

}  // namespace

std::string RunFolder::setting(const std::string& key) const {
  const auto found = settings.find(key);
  return found == settings.end() ? "" : found->second;
}

Metrics read_metrics(const fs::path& path) {
  std::map<double, std::array<double, kColumns.size()>> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json object = Json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("step") || !object["step"].is_number()) continue;
    std::array<double, kColumns.size()> row{};
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      const Json value = object.value(kColumns[i], Json());
      row[i] = std::string(kColumns[i]) == "time" ? parse_time(value)
               : value.is_number()                ? value.get<double>()
                                                  : kUnknown;
    }
    rows[row[0]] = row;
  }
  Metrics metrics;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    auto& column = metrics.columns_[kColumns[i]];
    column.reserve(rows.size());
    for (const auto& [step, row] : rows) column.push_back(row[i]);
  }
  return metrics;
}

RunFolder read_run(const fs::path& path) {
  if (!file_exists(path) || !fs::is_directory(path))
    throw DataError("\"" + path.string() + "\" is no folder; give a run folder");
  if (!file_exists(path / train::kConfigFile) && !file_exists(path / train::kMetricsFile)) {
    throw DataError("\"" + path.string() +
                    "\" has neither config.toml nor metrics.jsonl; give the --output folder of barlow pretrain");
  }
  RunFolder run;
  run.path = path;
  run.metrics = read_metrics(path / train::kMetricsFile);
  run.configuration = read_text(path / train::kConfigFile);
  run.settings = parse_settings(run.configuration);
  run.is_finished = train::is_finished(path);
  read_evaluations(run);
  if (fs::exists(path / train::kSnapshotFile)) {
    try {
      run.snapshot = read_snapshot(path / train::kSnapshotFile);
    } catch (const DataError& error) {
      run.complaints.push_back(error.what());
    }
  }
  return run;
}

}  // namespace barlow::report
