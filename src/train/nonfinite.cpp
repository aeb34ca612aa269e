// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/nonfinite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/tensor_files.hpp"

namespace barlow::train {
namespace {

using Json = nlohmann::ordered_json;

TensorStatistics statistics_on(Backend& backend, const nn::Parameter& parameter, ConstTensorView device) {
  return statistics_of(tensor_to_host(backend, parameter, device));
}

/// JSON has no NaN and no infinity.
Json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/// `backbone.bn1.running_mean` without its last part.
std::string layer_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

Json to_json(const std::string& name, const TensorStatistics& s) {
  return {{"name", name}, {"count", s.count}, {"non_finite", s.non_finite},
          {"min", s.min}, {"max", s.max},     {"mean", s.mean}};
}

void write_report(const std::filesystem::path& file, const NonFiniteStep& step, const nn::ParameterStore& store,
                  Backend& backend) {
  Json report = {{"step", step.step},
                 {"batch", step.batch},
                 {"epoch", step.epoch},
                 {"first_non_finite", step.first},
                 {"on_diagonal", number(step.result.on_diagonal)},
                 {"off_diagonal", number(step.result.off_diagonal)},
                 {"learning_rate_weights", step.rates.weights},
                 {"learning_rate_biases", step.rates.biases},
                 {"sample_ids", step.sample_ids},
                 {"parameters", Json::array()},
                 {"gradients", Json::array()},
                 {"buffers", Json::array()}};
  const auto& parameters = store.layout().parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const int n = static_cast<int>(i);
    const std::string& name = parameters[i].name;
    report["parameters"].push_back(to_json(name, statistics_on(backend, parameters[i], store.value(n))));
    report["gradients"].push_back(to_json(name, statistics_on(backend, parameters[i], store.gradient(n))));
  }
  const auto& buffers = store.layout().buffers();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const auto statistics = statistics_on(backend, buffers[i], store.buffer(static_cast<int>(i)));
    report["buffers"].push_back(to_json(buffers[i].name, statistics));
  }
  std::ofstream output(file, std::ios::trunc);
  output << report.dump(1) << "\n";
  if (!output.flush()) throw StorageError("cannot write \"" + file.string() + "\": " + std::strerror(errno));
}

}  // namespace

TensorStatistics statistics_of(std::span<const float> values) {
  TensorStatistics s{.count = static_cast<std::int64_t>(values.size())};
  double sum = 0;
  std::int64_t finite = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      ++s.non_finite;
      continue;
    }
    s.min = finite == 0 ? value : std::min(s.min, static_cast<double>(value));
    s.max = finite == 0 ? value : std::max(s.max, static_cast<double>(value));
    sum += value;
    ++finite;
  }
  if (finite > 0) s.mean = sum / static_cast<double>(finite);
  return s;
}

std::string first_non_finite(const TrainingStep::Result& result, const nn::ParameterStore& store, Backend& backend) {
  const auto& parameters = store.layout().parameters();
  const auto& buffers = store.layout().buffers();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (statistics_on(backend, parameters[i], store.value(static_cast<int>(i))).non_finite > 0)
      return "the weights " + parameters[i].name;
  }
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (statistics_on(backend, buffers[i], store.buffer(static_cast<int>(i))).non_finite == 0) continue;
    // A variance may overflow where the step itself does not: the input is then finite, and so is the mean.
    if (buffers[i].kind == nn::ParameterKind::kRunningMean)
      return "the input of the norm " + layer_of(buffers[i].name) + " (activations)";
  }
  if (!std::isfinite(result.on_diagonal)) return "the loss (on_diagonal)";
  if (!std::isfinite(result.off_diagonal)) return "the loss (off_diagonal)";
  for (std::size_t i = parameters.size(); i-- > 0;) {
    if (statistics_on(backend, parameters[i], store.gradient(static_cast<int>(i))).non_finite > 0)
      return "the gradient of " + parameters[i].name;
  }
  if (result.non_finite)
    return "the norm of " + *result.non_finite + ", weights or gradient (values too large to square)";
  return "";
}

std::string non_finite_name(std::int64_t step, std::int64_t rollbacks) {
  return fmt::format("nonfinite-step-{:06}{}.json", step,
                     rollbacks > 0 ? fmt::format("-rollback-{}", rollbacks) : std::string());
}

std::string investigate(NonFiniteStep step, std::span<const std::int64_t> local_sample_ids, const Runtime& runtime,
                        const nn::ParameterStore& store, const std::filesystem::path& file) {
  const MpiSession& session = runtime.session;
  step.sample_ids = session.gather_values(local_sample_ids);
  // All ranks hold the same weights and gradients; where one alone sees something else, its hardware is the suspect.
  const auto findings = session.gather(first_non_finite(step.result, store, runtime.backend));
  step.first = "something";
  for (std::size_t rank = findings.size(); rank-- > 0;) {
    if (!findings[rank].empty())
      step.first = findings[rank] + (findings[rank] == findings[0] ? "" : fmt::format(" (on rank {} alone)", rank));
  }
  if (session.is_root()) {
    try {
      write_report(file, step, store, runtime.backend);
    } catch (const StorageError& error) {
      log::warning(error.what());
    }
  }
  return fmt::format("step {}: {} is not finite ({})", step.step, step.first, file.string());
}

}  // namespace barlow::train
