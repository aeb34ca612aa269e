// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "barlow/base/error.hpp"

namespace barlow::train {
namespace {

using Json = nlohmann::ordered_json;

Json to_json_object(const PretrainConfig& config) {
  Json object;
  for_each_field(config, [&](const char* flag, const auto& value, Scope, const char*) { object[flag] = value; });
  return object;
}

/// False for what get_to() would cut to fit or round: 2.5 or 1e300 as a count.
template <class T>
bool is_exact(const Json& value, const T&) {
  if constexpr (!std::is_same_v<T, std::int64_t>) return true;
  return value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
}

/// The text of a value. Bytes that are no UTF-8, which resolve() refuses, are replaced: a message has to show them.
/// Fields hold no lists; one nested a million deep would end dump(), which recurses.
std::string to_text(const Json& value) {
  return value.is_structured() ? "a list" : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A TOML basic string.
std::string quote(const std::string& text) { return to_text(text); }

std::string toml_value(const std::string& value) { return quote(value); }
std::string toml_value(bool value) { return value ? "true" : "false"; }
std::string toml_value(std::int64_t value) { return std::to_string(value); }
std::string toml_value(double value) { return fmt::format("{}", value); }

struct Preset {
  const char* name;
  void (*apply)(PretrainConfig&);
};

// Rates and batch from the paper, its repository and, for small images, solo-learn (rates of 1-D tensors: 196/D).
constexpr Preset kPresets[] = {
    {"imagenet-1000", [](PretrainConfig&) {}},
    {"imagenet-300", [](PretrainConfig& c) { c.epochs = 300; }},
    {"imagenet-100", [](PretrainConfig& c) { c.epochs = 100; }},
    {"imagenet-batch-256",
     [](PretrainConfig& c) {
       c.epochs = 300;
       c.batch_size = 256;
       c.learning_rate_weights = 0.4;
       c.learning_rate_biases = 0.4 * 196 / 8192;
     }},
    {"cifar-resnet18",
     [](PretrainConfig& c) {
       c.architecture = "resnet18";
       c.stem = "small";
       c.image_size = 32;
       c.projector = "2048-2048-2048";
       c.batch_size = 256;
       c.learning_rate_weights = 0.3;
       c.learning_rate_biases = 0.3 * 196 / 2048;
       c.weight_decay = 1e-4;
       c.lars_eta = 0.02;
       c.lars_clip = true;
       c.blur_1 = 0;
       c.blur_2 = 0;
       c.solarize_2 = 0.2;
     }},
};

/// A flag with its value, for messages about what is wrong with it.
[[noreturn]] void refuse(const std::string& flag, const std::string& value, const std::string& remedy) {
  throw ConfigError(fmt::format("--{} {}: {}", flag, value, remedy));
}

template <class T>
void require_range(const char* flag, T value, T low, T high, const char* remedy) {
  if (!(value >= low && value <= high)) refuse(flag, fmt::format("{}", value), remedy);
}

void require_choice(const char* flag, const std::string& value, std::initializer_list<const char*> choices) {
  std::string list;
  for (const char* choice : choices) {
    if (value == choice) return;
    list += (list.empty() ? "" : ", ") + std::string(choice);
  }
  refuse(flag, "\"" + value + "\"", "choose one of " + list);
}

void check_choices(const PretrainConfig& c) {
  require_choice("architecture", c.architecture, {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152"});
  require_choice("stem", c.stem, {"imagenet", "small", "tiny"});
  require_choice("loss-form", c.loss_form, {"auto", "direct", "gram"});
  require_choice("last-batch", c.last_batch, {"drop", "official"});
  require_choice("augmentation", c.augmentation, {"reference", "notes", "none"});
  require_choice("crop", c.crop, {"random", "center"});
  require_choice("on-corrupt", c.on_corrupt, {"stop", "replace"});
  require_choice("on-nonfinite", c.on_nonfinite, {"stop", "rollback"});
  require_choice("precision", c.precision, {"auto", "fp32", "tf32", "bf16", "fp16"});
  require_choice("device", c.device, {"auto", "cpu", "cuda"});
  require_choice("augment-on", c.augment_on, {"auto", "cpu", "device"});
  require_choice("collectives", c.collectives, {"auto", "nccl", "mpi"});
}

void check_numbers(const PretrainConfig& c) {
  constexpr double kHuge = 1e9;
  require_range<std::int64_t>("image-size", c.image_size, 8, 4096, "a view is 8 to 4096 pixels wide");
  if (c.backbone_width < 8 || c.backbone_width > 1024 || c.backbone_width % 8 != 0)
    refuse("backbone-width", fmt::format("{}", c.backbone_width), "a multiple of 8, from 8 to 1024");
  require_range("epochs", c.epochs, 1e-6, kHuge, "must be above 0");
  require_range<std::int64_t>("batch-size", c.batch_size, 2, 1 << 24, "statistics need at least 2 images");
  require_range("learning-rate-weights", c.learning_rate_weights, 0.0, kHuge, "must not be negative");
  require_range("learning-rate-biases", c.learning_rate_biases, 0.0, kHuge, "must not be negative");
  require_range("weight-decay", c.weight_decay, 0.0, kHuge, "must not be negative");
  require_range("lambd", c.lambd, 0.0, kHuge, "must not be negative");
  require_range("warmup-epochs", c.warmup_epochs, 0.0, kHuge, "must not be negative");
  require_range("momentum", c.momentum, 0.0, 0.999999, "must be at least 0 and below 1");
  require_range("lars-eta", c.lars_eta, 1e-12, kHuge, "must be above 0");
  require_range<std::int64_t>("reference-world-size", c.reference_world_size, 1, 1 << 20, "must be at least 1");
  require_range<std::int64_t>("seed", c.seed, 0, INT64_MAX, "must not be negative");
  require_range<std::int64_t>("workers", c.workers, 0, 1024, "0 (this rank's share of the cores) to 1024");
  require_range<std::int64_t>("threads", c.threads, 0, 1024, "0 (this rank's share of the cores) to 1024");
  require_range<std::int64_t>("checkpoint-every-steps", c.checkpoint_every_steps, 0, INT64_MAX, "must not be negative");
  require_range("checkpoint-every-minutes", c.checkpoint_every_minutes, 0.0, kHuge, "must not be negative");
  require_range<std::int64_t>("keep-every", c.keep_every, 0, INT64_MAX, "must not be negative");
  require_range<std::int64_t>("max-rollbacks", c.max_rollbacks, 0, 1 << 20, "must not be negative");
  require_range("hang-timeout", c.hang_timeout, 0.0, kHuge, "must not be negative");
  require_range<std::int64_t>("log-every-steps", c.log_every_steps, 1, INT64_MAX, "must be at least 1");
  require_range<std::int64_t>("stop-after-steps", c.stop_after_steps, 0, INT64_MAX, "must not be negative");
  require_range<std::int64_t>("profile-steps", c.profile_steps, 0, 10000, "0 (off) to 10000");
  require_range<std::int64_t>("trace-steps", c.trace_steps, 1, 100000, "must be at least 1");
}

/// Numbers of the preset where the user gave none: {field, reference, notes, none}.
void resolve_augmentation(PretrainConfig& c) {
  struct Row {
    const char* flag;
    double* value;
    double reference, notes, none, high;
  };
  const Row rows[] = {
      {"crop-scale-min", &c.crop_scale_min, 0.08, 0.08, 0.08, 1},
      {"crop-scale-max", &c.crop_scale_max, 1, 1, 1, 1},
      {"flip", &c.flip, 0.5, 0.5, 0, 1},
      {"jitter", &c.jitter, 0.8, 0.8, 0, 1},
      {"brightness", &c.brightness, 0.4, 0.4, 0.4, 1},
      {"contrast", &c.contrast, 0.4, 0.4, 0.4, 1},
      {"saturation", &c.saturation, 0.2, 0.2, 0.2, 1},
      {"hue", &c.hue, 0.1, 0.1, 0.1, 0.5},
      {"grey", &c.grey, 0.2, 0.2, 0, 1},
      {"blur-1", &c.blur_1, 1, 0.5, 0, 1},
      {"blur-2", &c.blur_2, 0.1, 0.5, 0, 1},
      {"blur-sigma-min", &c.blur_sigma_min, 0.1, 0.1, 0.1, 100},
      {"blur-sigma-max", &c.blur_sigma_max, 2, 2, 2, 100},
      {"solarize-1", &c.solarize_1, 0, 0, 0, 1},
      {"solarize-2", &c.solarize_2, 0.2, 0, 0, 1},
  };
  for (const Row& row : rows) {
    if (*row.value == kFromPreset) {
      *row.value = c.augmentation == "reference" ? row.reference : c.augmentation == "notes" ? row.notes : row.none;
    }
    require_range(row.flag, *row.value, 0.0, row.high, fmt::format("must be in 0 to {}", row.high).c_str());
  }
  if (c.crop_scale_min <= 0 || c.crop_scale_min > c.crop_scale_max) {
    refuse("crop-scale-min", fmt::format("{}", c.crop_scale_min), "must be above 0 and at most --crop-scale-max");
  }
  if (c.blur_sigma_min > c.blur_sigma_max) {
    refuse("blur-sigma-min", fmt::format("{}", c.blur_sigma_min), "must be at most --blur-sigma-max");
  }
}

Json parse_object(const std::string& text) {
  Json object = Json::parse(text, nullptr, false);
  if (!object.is_object()) throw DataError("the configuration of a checkpoint is not JSON");
  return object;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& entry : kPresets) names.emplace_back(entry.name);
  return names;
}

PretrainConfig preset(const std::string& name) {
  std::string names;
  for (const Preset& entry : kPresets) {
    if (name == entry.name) {
      PretrainConfig config;
      entry.apply(config);
      return config;
    }
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  refuse("preset", "\"" + name + "\"", "choose one of " + names);
}

std::vector<std::int64_t> parse_projector(const std::string& text) {
  std::vector<std::int64_t> widths;
  const char* position = text.data();
  const char* const end = position + text.size();
  for (;;) {
    std::int64_t width = 0;
    const auto [rest, error] = std::from_chars(position, end, width);
    if (error != std::errc() || width < 1 || width > 1 << 20)
      refuse("projector", "\"" + text + "\"", "give widths from 1 to 1048576 joined by -, such as 8192-8192-8192");
    widths.push_back(width);
    if (rest == end) return widths;
    if (*rest != '-') refuse("projector", "\"" + text + "\"", "give widths joined by -, such as 8192-8192-8192");
    position = rest + 1;
  }
}

/// Files hold the configuration as text.
void check_text(const PretrainConfig& config) {
  for_each_field(config, [](const char* flag, const auto& value, Scope, const char*) {
    if constexpr (std::is_same_v<decltype(value), const std::string&>) {
      if (Json::parse(to_text(value)) != Json(value))
        throw ConfigError(fmt::format("--{} {}: not UTF-8; rename the file or folder", flag, to_text(value)));
    }
  });
}

void resolve(PretrainConfig& config) {
  if (config.data.empty()) throw ConfigError("--data is missing: give a dataset packed by barlow-data");
  if (config.output.empty()) throw ConfigError("--output is missing: give a folder for the run");
  check_text(config);
  check_choices(config);
  check_numbers(config);
  resolve_augmentation(config);
  if (parse_projector(config.projector).back() < 2)
    refuse("projector", config.projector, "the last width must be at least 2");
  if (config.quiet && config.verbose) throw ConfigError("--quiet and --verbose exclude each other: give one");
}

std::string to_json(const PretrainConfig& config) { return to_json_object(config).dump(); }

PretrainConfig from_json(const std::string& text) {
  const Json object = parse_object(text);
  PretrainConfig config;
  for_each_field(config, [&](const char* flag, auto& value, Scope, const char*) {
    if (!object.contains(flag)) return;
    const Json& found = object[flag];
    const auto fail = [&] {
      throw DataError(fmt::format("the configuration of a checkpoint has {} = {}", flag, to_text(found)));
    };
    if (!is_exact(found, value)) fail();
    try {
      found.get_to(value);
    } catch (const Json::exception&) {
      fail();
    }
  });
  return config;
}

std::string to_toml(const PretrainConfig& config) {
  std::string text;
  for_each_field(config, [&](const char* flag, const auto& value, Scope, const char* help) {
    text += fmt::format("# {}\n{} = {}\n", help, flag, toml_value(value));
  });
  return text;
}

std::vector<std::string> contradictions(const std::string& checkpoint_json, const PretrainConfig& config) {
  const Json before = parse_object(checkpoint_json);
  const Json now = to_json_object(config), defaults = to_json_object(PretrainConfig());
  std::vector<std::string> differences;
  for_each_field(config, [&](const char* flag, const auto&, Scope scope, const char*) {
    if (scope != Scope::kRun) return;
    const Json& was = before.contains(flag) ? before[flag] : defaults[flag];
    if (was != now[flag])
      differences.push_back(fmt::format("--{}: was {}, is {}", flag, to_text(was), to_text(now[flag])));
  });
  return differences;
}

}  // namespace barlow::train
