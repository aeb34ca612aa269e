// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "barlow/comm/fact.hpp"

namespace barlow::train {

/// Marks an augmentation step that follows the preset: no number that a user can give.
inline constexpr double kFromPreset = std::numeric_limits<double>::quiet_NaN();
inline bool is_from_preset(double value) { return std::isnan(value); }

/// Everything that `barlow pretrain` can be told. Defaults are the original's (Zbontar et al. 2021).
struct PretrainConfig {
  std::string data, output;

  std::string architecture = "resnet50", stem = "imagenet", projector = "8192-8192-8192";
  std::int64_t backbone_width = 64, image_size = 224;

  double epochs = 1000;
  std::int64_t batch_size = 2048;
  double learning_rate_weights = 0.2, learning_rate_biases = 0.0048, weight_decay = 1e-6, lambd = 0.0051;
  double warmup_epochs = 10, momentum = 0.9, lars_eta = 0.001;
  bool lars_clip = false;
  std::int64_t reference_world_size = 16;
  std::string loss_form = "auto", last_batch = "drop";

  std::string augmentation = "reference", crop = "preset";
  double crop_scale_min = kFromPreset, crop_scale_max = kFromPreset, flip = kFromPreset, jitter = kFromPreset,
         brightness = kFromPreset, contrast = kFromPreset, saturation = kFromPreset, hue = kFromPreset,
         grey = kFromPreset, blur_1 = kFromPreset, blur_2 = kFromPreset, blur_sigma_min = kFromPreset,
         blur_sigma_max = kFromPreset, solarize_1 = kFromPreset, solarize_2 = kFromPreset;
  std::string on_corrupt = "stop";

  std::int64_t seed = 0;
  std::string precision = "auto", device = "auto", collectives = "auto", augment_on = "auto";
  bool share_device = false, deterministic = false, cuda_graph = true;
  std::int64_t workers = 0, threads = 0;

  std::int64_t checkpoint_every_steps = 0, log_every_steps = 10, stop_after_steps = 0;
  double checkpoint_every_minutes = 10;
  std::int64_t keep_every = 0;
  std::string on_nonfinite = "stop";
  std::int64_t max_rollbacks = 3;
  double hang_timeout = 600;
  std::string initial_weights, trace;
  std::int64_t trace_steps = 1, profile_steps = 0;
  bool quiet = false, verbose = false;
};

/// Whether a run may go on with another value of a field, and whether ranks may have their own.
enum class Scope {
  kRun,    ///< part of what the run computes: a checkpoint of another value is refused
  kStart,  ///< of this start only, the same on every rank
  kRank,   ///< of one rank in this start: its files' place, its share of its host, what it says
};

/// Calls visit(flag, value, scope, help) for every field: the one list that the command line, the configuration file,
/// the checkpoint and the trace go by. A flag's name is also its key in TOML and JSON.
template <class Config, class Visit>
void for_each_field(Config& c, Visit&& visit) {
  using enum Scope;
  visit("data", c.data, kRank, "dataset: one packed file or a folder of shards");
  visit("output", c.output, kStart, "run folder; made if missing; if it holds a checkpoint, the run goes on");
  visit("architecture", c.architecture, kRun, "resnet18, resnet34, resnet50, resnet101 or resnet152");
  visit("backbone-width", c.backbone_width, kRun,
        "channels of the first stage: 64 as published, 128 for ResNet-50 (2x)");
  visit("stem", c.stem, kRun, "imagenet (7x7 stride 2, max pool), small (3x3 stride 1) or tiny (3x3 stride 2)");
  visit("projector", c.projector, kRun, "widths of the projector's layers, joined by -");
  visit("image-size", c.image_size, kRun, "side of a view in pixels");
  visit("epochs", c.epochs, kRun, "passes over the images");
  visit("batch-size", c.batch_size, kRun, "images per step over all ranks");
  visit("learning-rate-weights", c.learning_rate_weights, kRun, "base rate of weights, times batch-size/256");
  visit("learning-rate-biases", c.learning_rate_biases, kRun, "base rate of all 1-D tensors, times batch-size/256");
  visit("weight-decay", c.weight_decay, kRun, "weight decay of weights");
  visit("lambd", c.lambd, kRun, "weight of the off-diagonal term");
  visit("warmup-epochs", c.warmup_epochs, kRun, "epochs of linear warm-up, then a cosine");
  visit("momentum", c.momentum, kRun, "momentum of LARS");
  visit("lars-eta", c.lars_eta, kRun, "trust coefficient of LARS; 0.02 with --lars-clip suits small data sets");
  visit("lars-clip", c.lars_clip, kRun, "limit LARS's trust ratio to min(q/rate, 1)");
  visit("reference-world-size", c.reference_world_size, kRun,
        "gradients are divided by this, whatever the number of ranks");
  visit("loss-form", c.loss_form, kRun, "auto (by cost), direct or gram: one loss, two ways to compute it");
  visit("last-batch", c.last_batch, kRun,
        "drop: an epoch ends with its last full batch; official: with a smaller one, the loss still divided by "
        "batch-size");
  visit("augmentation", c.augmentation, kRun,
        "preset: reference, notes or none; the flags below override single steps");
  visit("crop", c.crop, kRun,
        "random: random resized crop; center: shorter side to image-size, then the centre; preset: center where "
        "augmentation is none, else random");
  visit("crop-scale-min", c.crop_scale_min, kRun, "smallest area of a random crop, as a share of the image");
  visit("crop-scale-max", c.crop_scale_max, kRun, "largest area of a random crop, as a share of the image");
  visit("flip", c.flip, kRun, "probability of a horizontal flip");
  visit("jitter", c.jitter, kRun, "probability of colour jitter");
  visit("brightness", c.brightness, kRun, "brightness factor in 1 -+ this");
  visit("contrast", c.contrast, kRun, "contrast factor in 1 -+ this");
  visit("saturation", c.saturation, kRun, "saturation factor in 1 -+ this");
  visit("hue", c.hue, kRun, "hue shift in -+ this, in turns, at most 0.5");
  visit("grey", c.grey, kRun, "probability of grey");
  visit("blur-1", c.blur_1, kRun, "probability of Gaussian blur, view 1");
  visit("blur-2", c.blur_2, kRun, "probability of Gaussian blur, view 2");
  visit("blur-sigma-min", c.blur_sigma_min, kRun, "smallest blur in pixels");
  visit("blur-sigma-max", c.blur_sigma_max, kRun, "largest blur in pixels");
  visit("solarize-1", c.solarize_1, kRun, "probability of solarisation at 128, view 1");
  visit("solarize-2", c.solarize_2, kRun, "probability of solarisation at 128, view 2");
  visit("on-corrupt", c.on_corrupt, kStart, "stop, or replace an unreadable image by the next readable one");
  visit("seed", c.seed, kRun, "seed of weights, order and augmentation");
  visit("precision", c.precision, kRun,
        "auto (the best the device does well), fp32, tf32 (GPU), bf16 or fp16 (GPU, with dynamic loss scaling)");
  visit("device", c.device, kRank, "auto (a GPU where there is one), cpu or cuda");
  visit("augment-on", c.augment_on, kStart,
        "who makes the views of decoded images, the same bit for bit: auto (a GPU, where there is one), cpu (loader "
        "threads) or device");
  visit("collectives", c.collectives, kStart,
        "exchange between ranks: auto, nccl, or mpi (on GPUs through host memory)");
  visit("share-device", c.share_device, kStart, "several ranks may use one GPU");
  visit("deterministic", c.deterministic, kStart, "equal bits from equal runs on a GPU, at some cost in speed");
  visit("cuda-graph", c.cuda_graph, kStart,
        "replay a step as one CUDA graph, on GPUs that exchange by NCCL or one alone");
  visit("workers", c.workers, kRank, "loader threads per rank; 0: this rank's share of the cores");
  visit("threads", c.threads, kRank,
        "compute threads per CPU rank; 0: OMP_NUM_THREADS, else this rank's share of the cores");
  visit("checkpoint-every-steps", c.checkpoint_every_steps, kStart,
        "steps between checkpoints; 0: by time and epoch only");
  visit("checkpoint-every-minutes", c.checkpoint_every_minutes, kStart,
        "minutes between checkpoints; 0: never by time");
  visit("keep-every", c.keep_every, kStart,
        "epochs between checkpoints that are kept, as checkpoint.epoch-NNNN.h5; 0: none");
  visit("on-nonfinite", c.on_nonfinite, kStart,
        "a NaN or an infinity: stop, or rollback to the last checkpoint and go on without that batch");
  visit("max-rollbacks", c.max_rollbacks, kStart, "rollbacks of the whole run before it stops");
  visit("hang-timeout", c.hang_timeout, kRank,
        "seconds without progress (a rank that hangs or has died) after which the job ends: exit 75 if this start has "
        "written a checkpoint, else 1; 0: never");
  visit("log-every-steps", c.log_every_steps, kStart, "steps between lines of metrics.jsonl and of a log");
  visit("stop-after-steps", c.stop_after_steps, kStart,
        "stop with a checkpoint (exit 75) after so many steps of this start; 0: off");
  visit("initial-weights", c.initial_weights, kRun, "safetensors file: backbone, projector or both");
  visit("trace", c.trace, kStart, "HDF5 file that receives everything about the first steps of this start");
  visit("trace-steps", c.trace_steps, kStart, "steps to trace");
  visit("profile-steps", c.profile_steps, kStart,
        "time the phases of so many steps of this start, after two of warm-up, into the run folder; 0: off");
  visit("quiet", c.quiet, kRank, "errors and warnings only");
  visit("verbose", c.verbose, kRank, "say more");
}

/// Names of the published points and what each sets, for help.
std::vector<std::string> preset_names();
/// @throws ConfigError for an unknown name, with the names there are.
PretrainConfig preset(const std::string& name);

/// Checks every value and the values against each other, and replaces what the augmentation preset decides by what it
/// says.
/// @throws ConfigError naming the flag, its value and the remedy.
void resolve(PretrainConfig& config);

/// 8192-8192-8192 as numbers. @throws ConfigError.
std::vector<std::int64_t> parse_projector(const std::string& text);

std::string to_json(const PretrainConfig& config);
/// The configuration that a checkpoint or trace carries; fields that it lacks keep their defaults. @throws DataError.
PretrainConfig from_json(const std::string& text);
std::string to_toml(const PretrainConfig& config);
/// The configuration in a file that to_toml() made; keys that it lacks keep their defaults. @throws UserError naming
/// the file.
PretrainConfig from_toml(const std::string& text, const std::string& file);

/// The kRun fields of a checkpoint's configuration (JSON) that differ, as `flag: was X, is Y`. A field that it lacks is
/// younger than the checkpoint, which was begun with what is now its default.
/// @throws DataError if it is no JSON.
std::vector<std::string> contradictions(const std::string& checkpoint_json, const PretrainConfig& config);

/// The fields that every rank of a start must have alike, as flags with their values.
std::vector<Fact> shared_settings(const PretrainConfig& config);

}  // namespace barlow::train
