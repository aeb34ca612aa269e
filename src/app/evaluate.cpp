// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/clock.hpp"
#include "barlow/base/log.hpp"
#include "barlow/cli/flags.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/evaluate/classes.hpp"
#include "barlow/evaluate/knn.hpp"
#include "barlow/evaluate/linear.hpp"
#include "barlow/train/config.hpp"
#include "barlow/train/open_dataset.hpp"
#include "commands.hpp"

namespace barlow::app {
namespace {

using Json = nlohmann::ordered_json;

struct Request {
  std::string train, test, json, device = "auto", collectives = "auto";
  bool share_device = false, untrained = false, raw_pixels = false, quiet = false, check_config = false;
  std::int64_t threads = 0;
  evaluate::EncoderOptions encoder;
  evaluate::KnnOptions knn;
  evaluate::LinearOptions linear;
};

void add_shared_options(CLI::App& command, Request& r) {
  command.add_option("--train", r.train, "dataset of training images, with labels")->required();
  command.add_option("--test", r.test, "dataset of test images, with labels")->required();
  CLI::Option* checkpoint =
      command.add_option("--checkpoint", r.encoder.checkpoint, "run folder, checkpoint.h5 or backbone.safetensors");
  CLI::Option* untrained = command.add_flag("--untrained", r.untrained, "random weights, for comparison");
  CLI::Option* raw = command.add_flag("--raw-pixels", r.raw_pixels, "no encoder: the pixels are the features");
  checkpoint->excludes(untrained)->excludes(raw);
  untrained->excludes(raw);
  command.add_option("--architecture", r.encoder.architecture, "of --untrained and of a safetensors file")
      ->capture_default_str();
  cli::add_number(command, "--backbone-width", r.encoder.backbone_width, "channels of the first stage; likewise",
                  {8, 1024})
      ->capture_default_str();
  command.add_option("--stem", r.encoder.stem, "imagenet, small or tiny; of --untrained and of a safetensors file")
      ->capture_default_str();
  cli::add_number(command, "--image-size", r.encoder.image_size,
                  "side in pixels; of all but a run folder or checkpoint", {8, 4096})
      ->capture_default_str();
  cli::add_number(command, "--seed", r.encoder.seed, "of --untrained, and of the classifiers", {0, INT64_MAX})
      ->capture_default_str();
  command.add_option("--precision", r.encoder.precision, "auto, fp32, tf32 (GPU), bf16 or fp16 (GPU)")
      ->capture_default_str();
  command.add_option("--device", r.device, "auto, cpu or cuda")->capture_default_str();
  command.add_option("--collectives", r.collectives, "exchange between ranks: auto, nccl or mpi")
      ->capture_default_str();
  command.add_flag("--share-device", r.share_device, "several ranks may use one GPU");
  cli::add_number(command, "--threads", r.threads,
                  "compute threads per CPU rank; 0: OMP_NUM_THREADS, else this rank's share of the cores", {0, 1024})
      ->capture_default_str();
  command.add_option("--json", r.json, "file that receives the result");
  command.add_flag("--quiet", r.quiet, "the result only");
  command.add_flag("--check-config", r.check_config, "check the command line and exit");
}

void add_protocol_options(CLI::App& command, Request& r, bool knn) {
  constexpr double kHuge = 1e9;
  if (knn) {
    cli::add_number(command, "--k", r.knn.k, "neighbours", {1, 10000})->capture_default_str();
    cli::add_number(command, "--temperature", r.knn.temperature,
                    "of the neighbours' weights exp(similarity / temperature)", {1e-9, kHuge})
        ->capture_default_str();
  } else {
    cli::add_number(command, "--epochs", r.linear.epochs, "passes over the training features", {1, 100000})
        ->capture_default_str();
    cli::add_number(command, "--batch-size", r.linear.batch_size, "features per step over all ranks", {1, 1 << 24})
        ->capture_default_str();
    cli::add_numbers(command, "--learning-rates", r.linear.learning_rates, "one classifier each", {1e-12, kHuge})
        ->capture_default_str();
    cli::add_number(command, "--weight-decay", r.linear.weight_decay, "of the classifiers' weights", {0, kHuge})
        ->capture_default_str();
  }
}

/// Words and numbers that pretrain knows too, by its rules and in its words.
void check(const Request& r) {
  train::PretrainConfig config;
  config.data = config.output = "-";
  config.architecture = r.encoder.architecture;
  config.stem = r.encoder.stem;
  config.backbone_width = r.encoder.backbone_width;
  config.precision = r.encoder.precision;
  config.device = r.device;
  config.collectives = r.collectives;
  train::resolve(config);
}

struct Sets {
  evaluate::Features train, test;
  std::int64_t num_classes;
};

Sets make_features(const Request& r, const train::Runtime& runtime, Json& result) {
  MpiSession& session = runtime.session;
  const auto train_set = train::open_dataset("--train", r.train, session);
  const auto test_set = train::open_dataset("--test", r.test, session);
  const std::int64_t num_classes = evaluate::count_classes(train_set, test_set);
  const auto class_numbers = collectively(session, [&] { return evaluate::match_classes(train_set, test_set); });
  const auto renumber = [&](evaluate::Features& test) {
    if (class_numbers.empty()) return;
    for (std::int32_t& label : test.labels) label = class_numbers.at(static_cast<std::size_t>(label));
  };
  result["train_images"] = train_set.size();
  result["test_images"] = test_set.size();
  if (r.raw_pixels) {
    result["encoder"] = "raw pixels";
    const auto pixels = [&](const data::Dataset& set) {
      return collectively(session, [&] { return evaluate::raw_pixels(set, r.encoder.image_size, runtime); });
    };
    Sets sets{pixels(train_set), pixels(test_set), num_classes};
    renumber(sets.test);
    return sets;
  }
  const auto encoder = evaluate::Encoder::load(r.encoder, runtime);
  result["encoder"] = encoder->is_untrained() ? "untrained" : encoder->options().checkpoint;
  result["architecture"] = encoder->options().architecture;
  result["backbone_width"] = encoder->options().backbone_width;
  result["stem"] = encoder->options().stem;
  result["image_size"] = encoder->options().image_size;
  result["precision"] = encoder->options().precision;
  if (encoder->is_untrained()) {
    result["seed"] = encoder->options().seed;
    collectively(session, [&] {
      if (train_set.size() < session.world_size()) {
        throw ConfigError(
            fmt::format("--train \"{}\": {} images are fewer than {} ranks, which --untrained needs; start "
                        "fewer ranks",
                        r.train, train_set.size(), session.world_size()));
      }
    });
    evaluate::observe_statistics(train_set, *encoder, 10000, runtime);
  }
  const auto extract = [&](const data::Dataset& set) {
    return collectively(session, [&] { return evaluate::extract_features(set, *encoder, runtime); });
  };
  Sets sets{extract(train_set), {}, num_classes};
  sets.test = extract(test_set);
  renumber(sets.test);
  return sets;
}

std::string evaluate_knn(const Request& r, const Sets& sets, const train::Runtime& runtime, Json& result) {
  const auto accuracy = evaluate::evaluate_knn(sets.train, sets.test, sets.num_classes, r.knn, runtime);
  result["top1"] = accuracy.top1;
  result["top5"] = accuracy.top5;
  result["k"] = r.knn.k;
  result["temperature"] = r.knn.temperature;
  return fmt::format("kNN (k {}, temperature {}): top-1 {:.2f} %, top-5 {:.2f} %", r.knn.k, r.knn.temperature,
                     accuracy.top1, accuracy.top5);
}

std::string evaluate_linear(const Request& r, Sets sets, const train::Runtime& runtime, Json& result) {
  evaluate::standardize(sets.train, sets.test, runtime);
  const auto all = evaluate::evaluate_linear(sets.train, sets.test, sets.num_classes, r.linear, runtime);
  const auto best =
      std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.best.top1 < b.best.top1; });
  result["top1"] = best->best.top1;
  result["top5"] = best->best.top5;
  result["learning_rate"] = best->learning_rate;
  result["epoch"] = best->best_epoch;
  result["epochs"] = r.linear.epochs;
  result["batch_size"] = r.linear.batch_size;
  result["weight_decay"] = r.linear.weight_decay;
  result["standardized"] = true;
  for (const auto& one : all) {
    result["learning_rates"].push_back({{"learning_rate", one.learning_rate},
                                        {"last_top1", one.last.top1},
                                        {"last_top5", one.last.top5},
                                        {"best_top1", one.best.top1},
                                        {"best_top5", one.best.top5},
                                        {"best_epoch", one.best_epoch}});
  }
  return fmt::format("linear (best of {} rates: {}, epoch {} of {}): top-1 {:.2f} %, top-5 {:.2f} %", all.size(),
                     best->learning_rate, best->best_epoch, r.linear.epochs, best->best.top1, best->best.top5);
}

constexpr const char* kUsage =
    "Usage: barlow evaluate knn|linear|all [flags]\n"
    "Measures a frozen encoder; `all` extracts the features once for both protocols.\n"
    "`barlow evaluate all --help` lists every flag.\n";

void write_json(const std::string& path, const Json& results) {
  std::ofstream file(path);
  // A path's bytes may be no UTF-8.
  file << (results.size() == 1 ? results[0] : results).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  if (!file.flush()) throw DataError("cannot write \"" + path + "\"");
}

/// Features are in host memory, and the protocols compute there: beside a GPU, by a processor backend of their own.
class HostRuntime {
 public:
  HostRuntime(const Request& r, MpiSession& session, const train::Runtime& device) {
    if (device.backend.device_id().empty()) {
      runtime_.emplace(device);
      return;
    }
    backend_ =
        make_backend({.device = "cpu", .local_size = session.local_size(), .num_threads = static_cast<int>(r.threads)});
    collectives_ = make_collectives(session);
    runtime_.emplace(train::Runtime{session, *backend_, *collectives_});
  }
  const train::Runtime& runtime() const { return *runtime_; }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Collectives> collectives_;
  std::optional<train::Runtime> runtime_;
};

/// Runs the protocols on one extraction; root prints a line each.
void run(const Request& r, const std::vector<std::string>& protocols, MpiSession& session) {
  const Stopwatch watch;
  const auto backend = collectively(session, [&] {
    return make_backend({.device = r.device,
                         .local_rank = session.local_rank(),
                         .local_size = session.local_size(),
                         .num_threads = static_cast<int>(r.threads),
                         .tf32 = r.encoder.precision == "tf32"});
  });
  const auto collectives = make_collectives(session, *backend, {.kind = r.collectives, .share_device = r.share_device});
  const train::Runtime runtime{session, *backend, *collectives};
  const HostRuntime host(r, session, runtime);
  Json shared;
  Sets sets = make_features(r, runtime, shared);
  const double extraction_s = watch.elapsed_s();
  log::info(fmt::format("features of {} + {} images in {:.1f} s", sets.train.num_samples, sets.test.num_samples,
                        extraction_s));
  Json results = Json::array();
  for (const std::string& protocol : protocols) {
    const Stopwatch own;
    Json result = {{"protocol", protocol}};
    result.update(shared);
    const std::string line = protocol == "knn" ? evaluate_knn(r, sets, host.runtime(), result)
                                               : evaluate_linear(r, sets, host.runtime(), result);
    result["seconds"] = extraction_s + own.elapsed_s();
    results.push_back(result);
    if (session.is_root()) fmt::print("{}\n", line);
  }
  collectively(session, [&] {
    if (session.is_root() && !r.json.empty()) write_json(r.json, results);
  });
}

}  // namespace

int evaluate_command(int argc, char** argv, MpiSession& session) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h") {
    if (session.is_root()) fmt::print("{}", kUsage);
    return kExitFinished;
  }
  require_same(session, {{"the protocol", "\"" + name + "\""}});
  if (name != "knn" && name != "linear" && name != "all")
    throw AgreedError(std::string("barlow evaluate: give a protocol\n") + kUsage, kExitRefused);
  const std::vector<std::string> protocols =
      name == "all" ? std::vector<std::string>{"knn", "linear"} : std::vector<std::string>{name};

  Request r;
  CLI::App command(
      "Measures the features of a frozen encoder by weighted nearest neighbours (knn), a linear classifier (linear) or "
      "both (all).\n"
      "Under mpirun or srun the ranks share the work.",
      "barlow evaluate " + name);
  add_shared_options(command, r);
  for (const std::string& protocol : protocols) add_protocol_options(command, r, protocol == "knn");
  if (const auto exit_code = cli::parse(command, argc - 1, argv + 1, session)) return *exit_code;
  // Sets are compared by their images; a checkpoint is read by rank 0.
  require_same(session, cli::shared_flags(command, {"--train", "--test", "--checkpoint", "--json", "--device",
                                                    "--threads", "--quiet"}));
  if (r.encoder.checkpoint.empty() && !r.untrained && !r.raw_pixels) {
    throw AgreedError("give --checkpoint RUN, --untrained or --raw-pixels", kExitRefused);
  }
  collectively(session, [&] { check(r); });
  if (r.check_config) return kExitFinished;
  collectively(session, [&] {
    if (session.is_root() && !r.json.empty()) data::require_result_file("--json", r.json);
  });
  r.linear.seed = static_cast<std::uint64_t>(r.encoder.seed);
  log::configure(r.quiet ? log::Level::kQuiet : log::Level::kNormal, session.is_root());
  run(r, protocols, session);
  return kExitFinished;
}

}  // namespace barlow::app
