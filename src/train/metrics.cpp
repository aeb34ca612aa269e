// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/metrics.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"
#include "barlow/base/files.hpp"
#include "barlow/base/log.hpp"
#include "barlow/base/whole_number.hpp"
#include "storage.hpp"

namespace barlow::train {
namespace {

/// Calls use(line) for every line, or until it says false; not at all where there is no file.
template <class Use>
void read_lines(const std::filesystem::path& path, Use&& use) {
  errno = 0;
  std::ifstream input(path);
  if (!input && errno == ENOENT) return;
  if (!input) fail_reading(path, errno);
  for (std::string line; std::getline(input, line);) {
    if (!use(line)) return;
  }
  if (input.bad()) fail_reading(path, errno);
}

/// The lines of steps up to `steps_done`. A last line cut short by a kill goes without a word; others that cannot be
/// read are told of.
std::string lines_up_to(const std::filesystem::path& path, std::int64_t steps_done) {
  std::string kept;
  std::int64_t unreadable = 0, passed_over = 0;
  read_lines(path, [&](const std::string& line) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("step") || !object["step"].is_number_integer()) {
      ++passed_over;
      return true;
    }
    if (object["step"].get<std::int64_t>() > steps_done) return false;
    unreadable += std::exchange(passed_over, 0);
    kept += line + "\n";
    return true;
  });
  if (unreadable > 0) {
    log::warning(fmt::format("\"{}\": {} lines cannot be read and are left out", path.string(), unreadable));
  }
  return kept;
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path, std::int64_t steps_done) : path_(path) {
  const std::string kept = lines_up_to(path, steps_done);
  replace_file(path, [&](const std::filesystem::path& temporary) {
    std::ofstream output(temporary, std::ios::trunc);
    output << kept;
    if (!output.flush()) throw StorageError("cannot write \"" + temporary.string() + "\": " + std::strerror(errno));
    flush_file(temporary);  // else a power cut after the rename could leave neither file's lines
  });
  file_ = FileDescriptor(path, O_WRONLY | O_APPEND);
  if (!file_) throw StorageError("cannot write \"" + path.string() + "\": " + std::strerror(errno));
}

void MetricsFile::record(const StepMetrics& m) {
  nlohmann::ordered_json object = {{"step", m.step},
                                   {"epoch", m.epoch},
                                   {"loss", m.loss},
                                   {"on_diagonal", m.on_diagonal},
                                   {"off_diagonal", m.off_diagonal},
                                   {"noise_floor", m.noise_floor},
                                   {"learning_rate_weights", m.learning_rate_weights},
                                   {"learning_rate_biases", m.learning_rate_biases},
                                   {"gradient_norm", m.gradient_norm},
                                   {"images_per_second", m.images_per_second},
                                   {"loader_wait_share", m.loader_wait_share},
                                   {"total_steps", m.total_steps},
                                   {"seconds_left", std::round(m.seconds_left)},
                                   {"time", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}};
  waiting_ += object.dump() + "\n";
  const int code = write_waiting();
  if (code != 0 && !has_warned_) {
    log::warning("cannot write \"" + path_.string() + "\": " + std::strerror(code) +
                 "; its lines wait in memory and training goes on. Make room");
  }
  has_warned_ = code != 0;
}

void MetricsFile::finish() {
  if (const int code = write_waiting(); code != 0)
    throw StorageError("cannot write \"" + path_.string() + "\": " + std::strerror(code));
}

int MetricsFile::write_waiting() {
  while (!waiting_.empty()) {
    const ssize_t written = ::write(file_.get(), waiting_.data(), waiting_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    waiting_.erase(0, static_cast<std::size_t>(written));
  }
  return 0;
}

std::string to_line(const StepMetrics& m) {
  return fmt::format(
      "step {}/{}  epoch {:.2f}  loss {:.4g} (on {:.4g}, off {:.4g}; noise floor {:.4g})  rate {:.3g}  {:.4g} images/s "
      " waits {:.0f} %  {} left",
      m.step, m.total_steps, m.epoch, m.loss, m.on_diagonal, m.off_diagonal, m.noise_floor, m.learning_rate_weights,
      m.images_per_second, 100 * m.loader_wait_share, to_duration(m.seconds_left));
}

std::optional<StepMetrics> last_metrics(const std::filesystem::path& path) {
  std::optional<StepMetrics> last;
  read_lines(path, [&](const std::string& line) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) return true;
    const auto number = [&](const char* name) {
      const auto found = object.find(name);
      return found != object.end() && found->is_number() ? found->get<double>() : 0.0;
    };
    const auto count = [&](const char* name) { return to_whole_number(number(name)); };
    last = StepMetrics{.step = count("step"),
                       .epoch = number("epoch"),
                       .loss = number("loss"),
                       .on_diagonal = number("on_diagonal"),
                       .off_diagonal = number("off_diagonal"),
                       .noise_floor = number("noise_floor"),
                       .learning_rate_weights = number("learning_rate_weights"),
                       .learning_rate_biases = number("learning_rate_biases"),
                       .gradient_norm = number("gradient_norm"),
                       .images_per_second = number("images_per_second"),
                       .loader_wait_share = number("loader_wait_share"),
                       .total_steps = count("total_steps"),
                       .seconds_left = number("seconds_left")};
    return true;
  });
  return last;
}

std::string to_duration(double seconds) {
  const auto s = std::llround(std::clamp(seconds, 0.0, 1e15));
  if (s >= 86400) return fmt::format("{} d {:02} h", s / 86400, s % 86400 / 3600);
  if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
  if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

}  // namespace barlow::train
