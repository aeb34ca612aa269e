// SPDX-License-Identifier: Apache-2.0
#include "barlow/evaluate/encoder.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/files.hpp"
#include "barlow/comm/agreement.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/train/checkpoint.hpp"
#include "barlow/train/normalization.hpp"
#include "barlow/train/run_folder.hpp"
#include "barlow/train/tensor_files.hpp"

namespace barlow::evaluate {
namespace {

namespace fs = std::filesystem;

bool is_checkpoint(const fs::path& path) { return path.extension() == ".h5"; }

/// What a run's config.toml says, as a checkpoint would; empty where the folder has none.
std::string configuration_beside(const fs::path& weights) {
  const fs::path path = weights.parent_path() / train::kConfigFile;
  if (!file_exists(path)) return "";
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) throw DataError("cannot read \"" + path.string() + "\"");
  train::PretrainConfig config = train::from_toml(text, path.string());
  train::resolve(config);
  return train::to_json(config);
}

/// The checkpoint, or else the file of weights alone, that the text stands for: a run folder, or a file. Reads a
/// checkpoint's state once, which reads all of the file.
train::CheckpointFolder::Found find_weights(const std::string& text) {
  const fs::path path(text);
  if (!file_exists(path) || !fs::is_directory(path))
    return {is_checkpoint(path) ? train::read_checkpoint_state(path) : train::RunState(), path};
  const train::CheckpointFolder checkpoints(path);
  const fs::path weights = path / train::kWeightsFile;
  // Of a folder that was tidied up, the weights of the end come before those of a milestone.
  if (checkpoints.last_write() || (checkpoints.has_checkpoint() && !file_exists(weights)))
    return checkpoints.newest_whole();
  if (file_exists(weights)) {
    train::RunState state;
    state.configuration = configuration_beside(weights);
    return {state, weights};
  }
  throw DataError("\"" + text + "\" holds no checkpoint; give a run folder, a checkpoint or a .safetensors file");
}

/// The file and the network that the options stand for, as rank 0 finds them. Collective.
EncoderOptions complete(EncoderOptions options, const MpiSession& session) {
  if (options.checkpoint.empty()) return options;
  std::string configuration;
  collectively(session, [&] {
    if (!session.is_root()) return;
    const auto [state, file] = find_weights(options.checkpoint);
    options.checkpoint = file.string();
    configuration = state.configuration;
  });
  options.checkpoint = session.broadcast(options.checkpoint);
  configuration = session.broadcast(configuration);
  if (configuration.empty() && !is_checkpoint(options.checkpoint)) return options;
  const train::PretrainConfig config = train::from_json(configuration);
  options.architecture = config.architecture;
  options.backbone_width = config.backbone_width;
  options.stem = config.stem;
  options.image_size = config.image_size;
  return options;
}

}  // namespace

std::unique_ptr<Encoder> Encoder::load(EncoderOptions options, const train::Runtime& runtime) {
  options = complete(std::move(options), runtime.session);
  auto encoder = collectively(runtime.session, [&] { return std::unique_ptr<Encoder>(new Encoder(options, runtime)); });
  encoder->read_weights();
  return encoder;
}

Encoder::Encoder(EncoderOptions options, const train::Runtime& runtime)
    : options_(std::move(options)),
      runtime_(runtime),
      backbone_(layout_, "backbone.", options_.architecture, nn::parse_stem(options_.stem), options_.backbone_width),
      store_(layout_, runtime.backend, choose_dtype(options_.precision, runtime.backend), false),
      arena_(runtime.backend.allocate(measure())) {
  if (options_.precision == "auto") options_.precision = name_of(store_.compute_dtype());
}

void Encoder::read_weights() {
  collectively(runtime_.session, [&] {
    if (!runtime_.session.is_root()) return;
    if (is_untrained()) {
      nn::initialize(store_, runtime_.backend, static_cast<std::uint64_t>(options_.seed));
    } else if (is_checkpoint(options_.checkpoint)) {
      train::read_checkpoint(options_.checkpoint, store_, runtime_.backend);
    } else {
      train::load_initial_weights(options_.checkpoint, store_, runtime_.backend, train::RunningStatistics::kRequired);
    }
  });
  for (const TensorView tensor : {store_.values(), store_.buffers()}) runtime_.collectives.broadcast(tensor);
  store_.refresh_compute_copy();
}

nn::Pass Encoder::make_pass(bool training) {
  return {.backend = runtime_.backend,
          .collectives = runtime_.collectives,
          .arena = arena_,
          .parameters = store_,
          .training = training,
          .views = 1,
          .norm_momentum = 1.0F / static_cast<float>(batches_observed_ + 1),
          .record = false};
}

std::size_t Encoder::measure() const {
  const auto backend = make_measuring_backend(store_.compute_dtype());
  const auto collectives = make_measuring_collectives(runtime_.session.world_size());
  Arena arena;
  nn::ParameterStore store(layout_, *backend, store_.compute_dtype(), false);
  nn::Pass pass{.backend = *backend,
                .collectives = *collectives,
                .arena = arena,
                .parameters = store,
                .views = 1,
                .record = false};
  const ConstTensorView images(nullptr, DType::kU8, {kBatch, options_.image_size, options_.image_size, 3});
  const Activation features = forward(pass, images);
  const Activation floats = pass.allocate(DType::kF32, features.shape());
  return arena.peak_bytes();
}

Activation Encoder::forward(nn::Pass& pass, ConstTensorView images) const {
  const Activation bytes = pass.allocate(DType::kU8, images.shape);
  pass.backend.copy_to_device(images, bytes);
  const Activation normalized = pass.allocate(images.shape);
  pass.backend.normalize_images(bytes, train::kImageMean, train::kImageStd, normalized);
  return backbone_.forward(pass, normalized);
}

void Encoder::encode(ConstTensorView images, TensorView features) {
  nn::Pass pass = make_pass(false);
  const Activation encoded = forward(pass, images);
  const Activation floats = pass.allocate(DType::kF32, encoded.shape());
  runtime_.backend.cast(encoded, floats);
  runtime_.backend.copy_to_host(floats, features);
}

void Encoder::observe_statistics(ConstTensorView images) {
  nn::Pass pass = make_pass(true);
  forward(pass, images);
  ++batches_observed_;
}

}  // namespace barlow::evaluate
