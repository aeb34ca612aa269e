// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "barlow/base/error.hpp"
#include "barlow/report/report.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "chart.hpp"
#include "run_folder.hpp"
#include "support/catch.hpp"

using namespace barlow;
namespace fs = std::filesystem;

namespace {

/// A run folder that is gone afterwards.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("barlow-report-" + std::to_string(::getpid()) + "-<run>&")) {
    fs::create_directory(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }
  std::string report() const {
    report::write_report(path_, path_ / "report.html");
    std::ostringstream text;
    text << std::ifstream(path_ / "report.html").rdbuf();
    return text.str();
  }

 private:
  fs::path path_;
};

std::string metrics_line(int step, const std::string& loss) {
  return "{\"step\":" + std::to_string(step) + ",\"epoch\":0.5,\"loss\":" + loss +
         ",\"on_diagonal\":2,\"off_diagonal\":3,\"noise_floor\":1.25,\"learning_rate_weights\":0.1,"
         "\"learning_rate_biases\":0.01,\"gradient_norm\":2,\"images_per_second\":128,\"loader_wait_share\":0.25,"
         "\"time\":\"2026-11-24T03:38:" +
         std::to_string(10 + step) + "Z\"}\n";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

void write_snapshot(const fs::path& path, std::int64_t views) {
  auto file = train::Hdf5File::create(path);
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(views * 2 * 4 * 4 * 3), 100);
  file.write("views", ConstTensorView(pixels.data(), DType::kU8, {views, 2, 4, 4, 3}));
  const std::vector<float> correlation = {0.5F, -0.1F, 0.1F, 0.7F};
  file.write("cross_correlation", ConstTensorView(correlation.data(), DType::kF32, {2, 2}));
  file.write_attribute("/", "step", std::int64_t{12345});
  file.close();
}

}  // namespace

TEST_CASE("a whole run becomes one page that needs nothing else", "[report]") {
  const Folder run;
  run.write("metrics.jsonl", metrics_line(10, "437.71") + metrics_line(20, "5.25"));
  run.write("config.toml", "# help\narchitecture = \"resnet18\"\nbatch-size = 64\nepochs = 3.5\ndata = \"<b>x</b>\"\n");
  run.write("evaluation-a.json",
            R"([{"protocol":"knn","encoder":"untrained","top1":57.125,"top5":90.5,"train_images":60000,
                 "test_images":10000}, {"protocol":"linear","encoder":"<i>","top1":1,"top5":2}])");
  run.write("evaluation-b.json", "{\"protocol\":\"knn\",\"encoder\":\"" + (run.path() / "checkpoint.h5").string() +
                                     "\",\"top1\":81.5,\"top5\":99}");
  write_snapshot(run.path() / "snapshot.h5", 2);
  run.write("backbone.safetensors", "");
  const std::string page = run.report();

  CHECK(page.find("437.71") != std::string::npos);  // a value of the chart
  CHECK(page.find("noise floor 1.25") != std::string::npos);
  CHECK(page.find("57.12") != std::string::npos);
  CHECK(page.find("this run") != std::string::npos);
  CHECK(page.find("60,000 training") != std::string::npos);
  CHECK(page.find("12,345") != std::string::npos);
  CHECK(page.find("mean is <b>0.6</b>") != std::string::npos);
  CHECK(page.find("root mean square is <b>0.1</b>") != std::string::npos);
  CHECK(page.find("finished 2026-11-24 03:38 UTC") != std::string::npos);
  CHECK(page.find("not finished") == std::string::npos);
  CHECK(page.find("10 s") != std::string::npos);  // 20 steps of 64 images at 128 per second
  CHECK(count(page, "<img") == 6);                // two pairs, the map and its scale
  CHECK(count(page, "class=\"missing\"") == 0);

  CHECK(page.find("http") == std::string::npos);
  CHECK(page.find("<b>x</b>") == std::string::npos);
  CHECK(page.find("&lt;b&gt;x") != std::string::npos);
  CHECK(page.find("<i>\"") == std::string::npos);
  CHECK(page.find("<run>") == std::string::npos);
  CHECK_FALSE(fs::exists(run.path() / "report.html.tmp"));
}

TEST_CASE("a run that has just begun is shown with what it has", "[report]") {
  const Folder run;
  run.write("config.toml", "epochs = 3.0\n");
  std::string page = run.report();
  CHECK(page.find("No step has been logged yet") != std::string::npos);
  CHECK(page.find("No evaluation") != std::string::npos);
  CHECK(page.find("No snapshot yet") != std::string::npos);
  CHECK(page.find("not finished") != std::string::npos);

  run.write("metrics.jsonl", metrics_line(1, "null"));
  page = run.report();
  CHECK(page.find("No step has been logged yet") == std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
  CHECK(page.find("data-values=\"[[null]") != std::string::npos);
}

TEST_CASE("files that cannot be read are named and do not stop the report", "[report]") {
  const Folder run;
  run.write("config.toml", "epochs = 3.0\n");
  run.write("evaluation-x.json", "{\"protocol\": 3");
  run.write("evaluation-y.json", "{\"protocol\": \"knn\", \"top1\": \"many\", \"top5\": 1}");
  write_snapshot(run.path() / "snapshot.h5", 3);
  const std::string page = run.report();
  CHECK(page.find("evaluation-x.json is not the result") != std::string::npos);
  CHECK(page.find("evaluation-y.json is not the result") != std::string::npos);
  CHECK(page.find("no snapshot of a run") != std::string::npos);
}

TEST_CASE("a count that no integer holds is cut off", "[report]") {
  const Folder run;
  run.write("metrics.jsonl", metrics_line(10, "437.71"));
  run.write("evaluation.json", R"({"protocol":"knn","top1":82.5,"top5":97,"train_images":1e91,"test_images":-1e91})");
  CHECK(count(run.report(), "9.01e+15 training, 0 test images") == 1);
}

TEST_CASE("a run is known by its weights' names, wherever it was evaluated", "[report]") {
  const Folder run;
  run.write("config.toml", "epochs = 3.0\n");
  const auto name_of = [&](const fs::path& encoder) {
    run.write("evaluation.json", R"({"protocol":"knn","top1":82.5,"top5":97,"encoder":")" + encoder.string() + "\"}");
    return report::read_run(run.path()).evaluations.at(0).encoder;
  };
  run.write("checkpoint.h5", "");
  CHECK(name_of(run.path() / "checkpoint.h5") == "this run");
  CHECK(name_of(run.path() / "checkpoint.epoch-0100.h5") == "this run, checkpoint.epoch-0100.h5");
  const fs::path same_name = fs::path("/elsewhere/runs") / run.path().filename();
  CHECK(name_of(same_name / "backbone.safetensors") == "this run");
  CHECK(name_of("runs" / run.path().filename() / "checkpoint.epoch-0100.h5") == "this run, checkpoint.epoch-0100.h5");
  CHECK(name_of("/elsewhere/runs/another/checkpoint.h5") == "/elsewhere/runs/another/checkpoint.h5");
  CHECK(name_of("untrained") == "untrained");
}

TEST_CASE("what is no run folder is refused", "[report]") {
  const Folder run;
  CHECK_THROWS_AS(report::write_report(run.path() / "missing", run.path() / "r.html"), DataError);
  CHECK_THROWS_AS(report::write_report(run.path(), run.path() / "r.html"), DataError);
  run.write("config.toml", "epochs = 3.0\n");
  CHECK_THROWS_AS(report::write_report(run.path(), run.path() / "missing" / "r.html"), ConfigError);
}

TEST_CASE("a line of metrics cut short is left out and a repeated step keeps the later line", "[report]") {
  const Folder run;
  run.write("metrics.jsonl", metrics_line(1, "7") + metrics_line(2, "6") + metrics_line(2, "5") + "{\"step\":3,\"lo");
  const auto metrics = report::read_metrics(run.path() / "metrics.jsonl");
  CHECK(metrics.column("loss") == std::vector<double>{7, 5});
  CHECK(metrics.column("time")[1] - metrics.column("time")[0] == 1);
}

TEST_CASE("a line without a time is a gap over time", "[report]") {
  const Folder run;
  run.write("metrics.jsonl", metrics_line(1, "7") + "{\"step\":2,\"epoch\":0.6}\n" + metrics_line(3, "5"));
  const std::string page = run.report();
  CHECK(page.find("by the clock") != std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
}

TEST_CASE("a long series is thinned to means with a band that keeps its extremes", "[report]") {
  report::Chart chart{.title = "t", .unit = "", .x_name = "step", .x = {}, .series = {{"s", "first", {}}}};
  for (int i = 0; i < 100000; ++i) {
    chart.x.push_back(i);
    chart.series[0].values.push_back(i == 77777 ? 1000 : 1);
  }
  const std::string html = report::draw(chart);
  CHECK(html.size() < 60000);
  CHECK(html.find("band") != std::string::npos);
  CHECK(html.find(">1k</span>") != std::string::npos);  // the axis reaches the single peak
}
