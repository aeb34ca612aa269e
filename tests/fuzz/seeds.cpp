// SPDX-License-Identifier: Apache-2.0
// Writes the start corpora that our own writers make: images, shards, weights, checkpoints, snapshots. seeds.py writes
// the others. Each is read back: a seed that a reader refuses would start nothing.
//   fuzz_seeds FOLDER
#include <fstream>

#include "barlow/data/image_decoder.hpp"
#include "barlow/data/shard_writer.hpp"
#include "barlow/train/checkpoint.hpp"
#include "barlow/train/config.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "barlow/train/safetensors.hpp"
#include "barlow/train/tensor_files.hpp"
#include "seed_images.hpp"
#include "small_model.hpp"
#include "support.hpp"
#include "train/seal.hpp"

using namespace barlow;
using namespace barlow::fuzz;
namespace fs = std::filesystem;

namespace {

fs::path made(const fs::path& folder) {
  fs::create_directories(folder);
  return folder;
}

void write_images(const fs::path& folder, const Seeds& images) {
  for (const auto& [name, bytes] : images) {
    data::identify_image(bytes);
    std::ofstream(folder / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

void write_shard(const fs::path& path, const Seeds& images, std::vector<std::string> class_names) {
  data::ShardWriter writer(path);
  const std::vector<std::uint8_t> pixels(12, 200);
  const std::int32_t label = class_names.empty() ? -1 : 0;
  writer.append({data::Encoding::kRaw, 2, 2, 3, label, 12}, "raw", pixels);
  for (const auto& [name, bytes] : images) {
    data::SampleInfo info = data::identify_image(bytes);
    info.label = label;
    writer.append(info, name, bytes);
  }
  const std::string fingerprint = data::set_fingerprint(writer.digests(), class_names);
  writer.finish({std::move(class_names), fingerprint, writer.size(), 0, 1});
  data::Dataset::open(path);
}

void write_weights(const fs::path& path, SmallModel& model) {
  std::vector<train::NamedTensor> tensors;
  for (const nn::Parameter& parameter : model.store.layout().parameters()) {
    tensors.push_back({parameter.name, DType::kF32, parameter.file_shape(), {}});
    tensors.back().data.resize(static_cast<std::size_t>(parameter.shape.num_elements()) * sizeof(float));
  }
  train::write_safetensors(path, tensors);
  train::load_initial_weights(path, model.store, model.backend);
}

/// As checkpoint.cpp writes one; the model keeps no values to write.
void write_checkpoint(const fs::path& path, SmallModel& model, bool has_skipped) {
  train::Hdf5File file = train::Hdf5File::create(path, train::kSealBytes);
  const auto write = [&](const std::string& group, const nn::Parameter& parameter) {
    const std::vector<float> values(static_cast<std::size_t>(parameter.shape.num_elements()), 1.5F);
    file.write(group + parameter.name, ConstTensorView(values.data(), DType::kF32, parameter.file_shape()), true);
  };
  for (const nn::Parameter& parameter : model.store.layout().parameters()) write("parameters/", parameter);
  for (const nn::Parameter& buffer : model.store.layout().buffers()) write("buffers/", buffer);
  file.write_attribute("/", "format_version", std::int64_t{2});
  for (const char* name : {"step", "restarts", "num_batches_tracked", "loss_scale_steady_steps"})
    file.write_attribute("/", name, std::int64_t{3});
  file.write_attribute("/", "data_fingerprint", std::string(64, 'a'));
  file.write_attribute("/", "configuration", std::string(R"({"seed":7,"architecture":"resnet18"})"));
  file.write_attribute("/", "loss_scale", 65536.0);
  file.write_attribute("/", "rank_seconds", 7200.0);
  const std::vector<std::int64_t> skipped = {2, 5};
  if (has_skipped) file.write("skipped_batches", ConstTensorView(skipped.data(), DType::kI64, {2}), true);
  file.close(false);
  train::seal(path);
  train::read_checkpoint(path, model.store, model.backend);
}

void write_snapshot(const fs::path& path) {
  train::Hdf5File file = train::Hdf5File::create(path);
  const std::vector<std::uint8_t> views(2 * 8 * 8 * 3, 100);
  const std::vector<float> correlation(9, 0.5F);
  file.write("views", ConstTensorView(views.data(), DType::kU8, {2, 1, 8, 8, 3}));
  file.write("cross_correlation", ConstTensorView(correlation.data(), DType::kF32, {3, 3}));
  file.write_attribute("/", "step", std::int64_t{5});
  file.close(false);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path folder = argv[1];
  const Seeds images = seed_images();
  write_images(made(folder / "image"), images);
  const fs::path shards = made(folder / "shard");
  write_shard(shards / "labelled.h5", {*images.begin()}, {"cat", "dog"});
  write_shard(shards / "unlabelled.h5", {*images.find("color.png")}, {});
  SmallModel model;
  write_weights(made(folder / "safetensors") / "model.safetensors", model);
  const fs::path checkpoints = made(folder / "checkpoint");
  write_checkpoint(checkpoints / "plain.h5", model, false);
  write_checkpoint(checkpoints / "skipped.h5", model, true);
  write_snapshot(made(folder / "run_folder") / "snapshot.h5");
  made(folder / "configuration");
  std::ofstream(folder / "configuration" / "preset.json") << '\0' << train::to_json(train::preset("cifar-resnet18"));
  train::PretrainConfig config;
  config.data = "a", config.output = "b";
  std::ofstream(folder / "configuration" / "default.toml") << '\1' << train::to_toml(config);
  return 0;
}
