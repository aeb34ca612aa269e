// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "barlow/base/error.hpp"
#include "barlow/base/toml.hpp"
#include "barlow/base/utf8.hpp"

namespace barlow::train {
namespace {

using Json = nlohmann::ordered_json;

/// Without the fields that are still the preset's: JSON has no NaN.
Json to_json_object(const PretrainConfig& config) {
  Json object;
  for_each_field(config, [&]<class T>(const char* flag, const T& value, Scope, const char*) {
    if constexpr (std::is_same_v<T, double>) {
      if (is_from_preset(value)) return;
    }
    object[flag] = value;
  });
  return object;
}

/// Null where there is none. Not a copy, which takes a stack of a list's depth.
const Json& field(const Json& object, const char* flag) {
  static const Json kNone;
  const auto found = object.find(flag);
  return found == object.end() ? kNone : *found;
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

std::string toml_value(const std::string& value) { return to_toml_string(value); }
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
void require_range(const char* flag, T low, T high, T value) {
  if (value >= low && value <= high) return;
  refuse(flag, fmt::format("{}", value),
         high == std::numeric_limits<T>::max() ? fmt::format("must be at least {}", low)
                                               : fmt::format("must be from {} to {}", low, high));
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
  require_choice("crop", c.crop, {"preset", "random", "center"});
  require_choice("on-corrupt", c.on_corrupt, {"stop", "replace"});
  require_choice("on-nonfinite", c.on_nonfinite, {"stop", "rollback"});
  require_choice("precision", c.precision, {"auto", "fp32", "tf32", "bf16", "fp16"});
  require_choice("device", c.device, {"auto", "cpu", "cuda"});
  require_choice("augment-on", c.augment_on, {"auto", "cpu", "device"});
  require_choice("collectives", c.collectives, {"auto", "nccl", "mpi"});
}

void check_numbers(const PretrainConfig& c) {
  constexpr double kHuge = 1e9;
  constexpr std::int64_t kMany = std::numeric_limits<std::int64_t>::max();
  require_range<std::int64_t>("image-size", 8, 4096, c.image_size);
  if (c.backbone_width < 8 || c.backbone_width > 1024 || c.backbone_width % 8 != 0)
    refuse("backbone-width", fmt::format("{}", c.backbone_width), "must be a multiple of 8, from 8 to 1024");
  require_range("epochs", 1e-6, kHuge, c.epochs);
  require_range<std::int64_t>("batch-size", 2, 1 << 24, c.batch_size);  // statistics need at least 2 images
  require_range("learning-rate-weights", 0.0, kHuge, c.learning_rate_weights);
  require_range("learning-rate-biases", 0.0, kHuge, c.learning_rate_biases);
  require_range("weight-decay", 0.0, kHuge, c.weight_decay);
  require_range("lambd", 0.0, kHuge, c.lambd);
  require_range("warmup-epochs", 0.0, kHuge, c.warmup_epochs);
  require_range("momentum", 0.0, 0.999999, c.momentum);
  require_range("lars-eta", 1e-12, kHuge, c.lars_eta);
  require_range<std::int64_t>("reference-world-size", 1, 1 << 20, c.reference_world_size);
  require_range<std::int64_t>("seed", 0, kMany, c.seed);
  require_range<std::int64_t>("workers", 0, 1024, c.workers);
  require_range<std::int64_t>("threads", 0, 1024, c.threads);
  require_range<std::int64_t>("checkpoint-every-steps", 0, kMany, c.checkpoint_every_steps);
  require_range("checkpoint-every-minutes", 0.0, kHuge, c.checkpoint_every_minutes);
  require_range<std::int64_t>("keep-every", 0, kMany, c.keep_every);
  require_range<std::int64_t>("max-rollbacks", 0, 1 << 20, c.max_rollbacks);
  require_range("hang-timeout", 0.0, kHuge, c.hang_timeout);
  require_range<std::int64_t>("log-every-steps", 1, kMany, c.log_every_steps);
  require_range<std::int64_t>("stop-after-steps", 0, kMany, c.stop_after_steps);
  require_range<std::int64_t>("profile-steps", 0, 10000, c.profile_steps);
  require_range<std::int64_t>("trace-steps", 1, 100000, c.trace_steps);
}

/// Files hold the configuration as text.
void check_text(const PretrainConfig& config) {
  for_each_field(config, [](const char* flag, const auto& value, Scope, const char*) {
    if constexpr (std::is_same_v<decltype(value), const std::string&>) {
      if (!is_utf8(value))
        throw ConfigError(fmt::format("--{} {}: not UTF-8; rename the file or folder", flag, to_text(value)));
    }
  });
}

/// What the preset says where the user said nothing: {flag, field, reference, notes, none, the highest value allowed}.
void resolve_augmentation(PretrainConfig& c) {
  if (c.crop == "preset") c.crop = c.augmentation == "none" ? "center" : "random";
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
    if (is_from_preset(*row.value)) {
      *row.value = c.augmentation == "reference" ? row.reference : c.augmentation == "notes" ? row.notes : row.none;
    }
    require_range(row.flag, 0.0, row.high, *row.value);
  }
  if (c.crop_scale_min <= 0 || c.crop_scale_min > c.crop_scale_max) {
    refuse("crop-scale-min", fmt::format("{}", c.crop_scale_min), "must be above 0 and at most --crop-scale-max");
  }
  if (c.blur_sigma_min > c.blur_sigma_max) {
    refuse("blur-sigma-min", fmt::format("{}", c.blur_sigma_min), "must be at most --blur-sigma-max");
  }
}

/// However it is written: `./weights` is `weights`.
bool are_one_file(const Json& one, const Json& other) {
  const auto place = [](const Json& value) {
    std::error_code none;
    return std::filesystem::weakly_canonical(std::filesystem::absolute(value.get<std::string>(), none), none);
  };
  const auto is_path = [](const Json& value) { return value.is_string() && !value.get<std::string>().empty(); };
  return is_path(one) && is_path(other) && place(one) == place(other);
}

Json parse_object(const std::string& text) {
  Json object = Json::parse(text, nullptr, false);
  if (!object.is_object()) throw DataError("the configuration of a checkpoint is not JSON");
  return object;
}

/// `source` is for the message about a value that its field cannot hold.
PretrainConfig from_object(const Json& object, const std::string& source) {
  PretrainConfig config;
  for_each_field(config, [&](const char* flag, auto& value, Scope, const char*) {
    if (!object.contains(flag)) return;
    const Json& found = object[flag];
    const auto fail = [&] { throw DataError(fmt::format("{} has {} = {}", source, flag, to_text(found))); };
    if (!is_exact(found, value)) fail();
    try {
      found.get_to(value);
    } catch (const Json::exception&) {
      fail();
    }
  });
  return config;
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
  return from_object(parse_object(text), "the configuration of a checkpoint");
}

PretrainConfig from_toml(const std::string& text, const std::string& file) {
  Json object;
  for (const TomlEntry& entry : read_toml(text, file))
    std::visit([&](const auto& value) { object[entry.key] = value; }, entry.value);
  return from_object(object, file);
}

std::string to_toml(const PretrainConfig& config) {
  std::string text;
  for_each_field(config, [&](const char* flag, const auto& value, Scope, const char* help) {
    text += fmt::format("# {}\n{} = {}\n", help, flag, toml_value(value));
  });
  return text;
}

std::vector<Fact> shared_settings(const PretrainConfig& config) {
  std::vector<Fact> facts;
  for_each_field(config, [&](const char* flag, const auto& value, Scope scope, const char*) {
    if (scope != Scope::kRank) facts.push_back({std::string("--") + flag, to_text(Json(value))});
  });
  return facts;
}

std::vector<std::string> contradictions(const std::string& checkpoint_json, const PretrainConfig& config) {
  const Json before = parse_object(checkpoint_json);
  const Json now = to_json_object(config), defaults = to_json_object(PretrainConfig());
  std::vector<std::string> differences;
  for_each_field(config, [&](const char* flag, const auto&, Scope scope, const char*) {
    if (scope != Scope::kRun) return;
    const Json &was = field(before.contains(flag) ? before : defaults, flag), &is = field(now, flag);
    if (was != is && !(flag == std::string("initial-weights") && are_one_file(was, is)))
      differences.push_back(fmt::format("--{}: was {}, is {}", flag, to_text(was), to_text(is)));
  });
  return differences;
}

}  // namespace barlow::train
