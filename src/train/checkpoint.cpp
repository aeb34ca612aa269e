// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/checkpoint.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string_view>

#include "barlow/base/error.hpp"
#include "barlow/base/files.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "barlow/train/run_folder.hpp"
#include "barlow/train/tensor_files.hpp"
#include "seal.hpp"
#include "storage.hpp"

namespace barlow::train {
namespace {

constexpr std::int64_t kFormatVersion = 2;
constexpr const char* kRankSeconds = "rank_seconds";  // not in the first files of this format
constexpr const char* kSkippedBatches = "skipped_batches";
constexpr const char* kNewest = "checkpoint.h5";
constexpr const char* kPrevious = "checkpoint.previous.h5";
constexpr const char* kTemporary = "checkpoint.h5.tmp";
constexpr const char* kDamaged = "checkpoint.damaged.h5";
constexpr const char* kMilestone = "checkpoint.epoch-";

/// The flat tensors that a checkpoint holds, of a store or of a copy.
struct FlatTensors {
  TensorView values, momentum, buffers;
};

/// Calls f(dataset name, parameter, its part of the flat tensors) for everything a checkpoint holds.
template <class F>
void for_each_tensor(const nn::ParameterLayout& layout, const FlatTensors& flat, F&& f) {
  const auto part = [](const nn::Parameter& parameter, const TensorView& all) {
    return all.slice(parameter.offset, parameter.shape.num_elements()).reshaped(parameter.shape);
  };
  for (const nn::Parameter& parameter : layout.parameters()) {
    f("parameters/" + parameter.name, parameter, part(parameter, flat.values));
    if (flat.momentum) f("momentum/" + parameter.name, parameter, part(parameter, flat.momentum));
  }
  for (const nn::Parameter& buffer : layout.buffers()) f("buffers/" + buffer.name, buffer, part(buffer, flat.buffers));
}

/// Values, and what HDF5 needs beside them.
std::uint64_t file_bytes(const StateCopy& state) {
  constexpr std::uint64_t kPerTensor = 1024, kPerFile = 65536;
  std::uint64_t bytes = kPerFile + state.run().configuration.size();
  for_each_tensor(state.layout(), {state.values(), state.momentum(), state.buffers()},
                  [&](const std::string&, const nn::Parameter&, const TensorView& values) {
                    bytes += values.size_bytes() + kPerTensor;
                  });
  return bytes;
}

void write_checkpoint(const std::filesystem::path& path, const StateCopy& state) {
  Hdf5File file = Hdf5File::create(path, kSealBytes);
  reserve_space(path, file_bytes(state));
  for_each_tensor(
      state.layout(), {state.values(), state.momentum(), state.buffers()},
      [&](const std::string& name, const nn::Parameter& parameter, const TensorView& values) {
        if (parameter.kind != nn::ParameterKind::kConvolution) return file.write(name, values, true);
        const auto* first = values.as<float>();
        const std::vector<float> laid_out = nn::to_file_layout(parameter, {first, first + values.num_elements()});
        file.write(name, ConstTensorView(laid_out.data(), DType::kF32, parameter.file_shape()), true);
      });
  file.write_attribute("/", "format_version", kFormatVersion);
  file.write_attribute("/", "step", state.run().step);
  file.write_attribute("/", "restarts", state.run().restarts);
  file.write_attribute("/", kRankSeconds, state.run().rank_seconds);
  file.write_attribute("/", "num_batches_tracked", state.num_batches_tracked());
  file.write_attribute("/", "data_fingerprint", state.run().data_fingerprint);
  file.write_attribute("/", "configuration", state.run().configuration);
  file.write_attribute("/", "loss_scale", state.run().loss_scale.value);
  file.write_attribute("/", "loss_scale_steady_steps", state.run().loss_scale.steady_steps);
  if (const auto& skipped = state.run().skipped_batches; !skipped.empty()) {
    file.write(kSkippedBatches,
               ConstTensorView(skipped.data(), DType::kI64, {static_cast<std::int64_t>(skipped.size())}), true);
  }
  file.close(false);
  seal(path);
}

std::filesystem::path milestone_name(std::int64_t epoch) { return fmt::format("{}{:04}.h5", kMilestone, epoch); }

/// Of the largest epoch; empty if there is none.
std::filesystem::path latest_milestone(const std::filesystem::path& run) {
  std::filesystem::path latest;
  std::int64_t latest_epoch = -1;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run, error)) {
    const std::string name = entry.path().filename().string();
    const std::string_view prefix = kMilestone;
    if (!name.starts_with(prefix)) continue;
    std::int64_t epoch = -1;
    const auto [rest, code] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), epoch);
    if (code != std::errc() || std::string_view(rest) != ".h5" || epoch <= latest_epoch) continue;
    latest = entry.path();
    latest_epoch = epoch;
  }
  if (error && error != std::errc::no_such_file_or_directory) fail_reading(run, error.value());
  return latest;
}

RunState read_state(const Hdf5File& file, const std::filesystem::path& path) {
  if (const auto version = file.read_int("/", "format_version"); version != kFormatVersion) {
    throw ConfigError("\"" + path.string() + "\": checkpoint format " + std::to_string(version) +
                      ", this program reads " + std::to_string(kFormatVersion) +
                      "; continue with the version that wrote it, or begin another --output with --initial-weights");
  }
  RunState state{.step = file.read_int("/", "step"),
                 .restarts = file.read_int("/", "restarts"),
                 .rank_seconds = file.contains_attribute("/", kRankSeconds) ? file.read_double("/", kRankSeconds) : 0,
                 .configuration = file.read_string("/", "configuration"),
                 .data_fingerprint = file.read_string("/", "data_fingerprint"),
                 .loss_scale = {.value = file.read_double("/", "loss_scale"),
                                .steady_steps = file.read_int("/", "loss_scale_steady_steps")},
                 .skipped_batches = {}};
  if (state.step < 0 || state.restarts < 0 || !(state.rank_seconds >= 0) || !(state.loss_scale.value > 0) ||
      !std::isfinite(state.loss_scale.value) || state.loss_scale.steady_steps < 0) {
    throw DataError("\"" + path.string() + "\": a count or the loss scale is impossible; the file is damaged");
  }
  if (file.contains(kSkippedBatches)) {
    const Shape shape = file.shape_of(kSkippedBatches);
    if (shape.rank() != 1) throw DataError("\"" + path.string() + "\": " + kSkippedBatches + " is no list");
    state.skipped_batches.resize(static_cast<std::size_t>(shape.num_elements()));
    file.read(kSkippedBatches, TensorView(state.skipped_batches.data(), DType::kI64, shape));
  }
  return state;
}

}  // namespace

bool CheckpointFolder::has_checkpoint() const {
  return file_exists(run_ / kNewest) || file_exists(run_ / kPrevious) || !latest_milestone(run_).empty();
}

void CheckpointFolder::save(const StateCopy& state, std::int64_t milestone_epoch) const {
  const auto temporary = run_ / kTemporary;
  std::error_code ignored;
  try {
    write_checkpoint(temporary, state);
    // Before the renames: a job that is killed between them finds this epoch's end again.
    if (milestone_epoch > 0) keep_as(temporary, run_ / milestone_name(milestone_epoch));
    // By a second name, so that whoever reads meanwhile finds a newest one at every moment.
    const auto newest = run_ / kNewest, previous = run_ / kPrevious;
    if (std::filesystem::exists(newest) && !link_as(newest, previous)) std::filesystem::rename(newest, previous);
    std::filesystem::rename(temporary, newest);
  } catch (const std::filesystem::filesystem_error& error) {
    std::filesystem::remove(temporary, ignored);
    throw StorageError(std::string("cannot put the checkpoint in place: ") + error.what());
  } catch (...) {
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  flush_folder(run_);
}

void CheckpointFolder::remove_leftovers() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run_, error)) {
    const std::string name = entry.path().filename().string();
    if ((name.starts_with("checkpoint.") && name.ends_with(".h5.tmp")) || name == std::string(kSnapshotFile) + ".tmp")
      std::filesystem::remove(entry.path(), error);
  }
}

void CheckpointFolder::fail_whole(const std::string& reason) const {
  throw DataError(reason +
                  "; no checkpoint of this run is whole. Copy a kept one (checkpoint.epoch-NNNN.h5, or from a "
                  "backup) to \"" +
                  (run_ / kNewest).string() + "\", or begin another --output");
}

template <class Read>
CheckpointFolder::Found CheckpointFolder::read_newest(Read&& read) const {
  const auto newest = run_ / kNewest;
  auto fallback = run_ / kPrevious;
  if (file_exists(newest)) {
    try {
      return {read(newest), newest};
    } catch (const DataError& error) {
      if (!file_exists(fallback)) fail_whole(error.what());
      log::warning(std::string(error.what()) + "; going back to " + kPrevious);
    }
  } else if (!file_exists(fallback)) {
    fallback = latest_milestone(run_);
    log::warning("run \"" + run_.string() + "\" has lost its " + kNewest + "; going on from " +
                 fallback.filename().string());
  }
  try {
    return {read(fallback), fallback};
  } catch (const DataError& error) {
    fail_whole(error.what());
  }
}

RunState CheckpointFolder::load_to_go_on(nn::ParameterStore& store, Backend& backend,
                                         const RequireState& require) const {
  const Found found =
      read_newest([&](const std::filesystem::path& path) { return read_checkpoint(path, store, backend, require); });
  const auto newest = run_ / kNewest;
  const auto rename = [](const std::filesystem::path& from, const std::filesystem::path& to) {
    std::error_code error;
    std::filesystem::rename(from, to, error);
    if (error) throw StorageError("cannot rename \"" + from.string() + "\": " + error.message());
  };
  if (found.file != newest && file_exists(newest)) {
    rename(newest, run_ / kDamaged);
    log::warning("the damaged " + std::string(kNewest) + " is kept as " + kDamaged);
  }
  // It is the newest now: a run that has nothing left to do but its weights ends with one, too.
  if (found.file == run_ / kPrevious) rename(found.file, newest);
  return found.state;
}

std::optional<std::filesystem::file_time_type> CheckpointFolder::last_write() const {
  std::optional<std::filesystem::file_time_type> latest;
  for (const char* name : {kNewest, kPrevious}) {  // without hard links a job that saves may be between its renames
    std::error_code error;
    const auto written = std::filesystem::last_write_time(run_ / name, error);
    if (!error && (!latest || written > *latest)) latest = written;
  }
  return latest;
}

CheckpointFolder::Found CheckpointFolder::newest_whole() const { return read_newest(read_checkpoint_state); }

RunState read_checkpoint(const std::filesystem::path& path, nn::ParameterStore& store, Backend& backend,
                         const RequireState& require) {
  require_seal(path);
  const Hdf5File file = Hdf5File::open(path);
  const RunState state = read_state(file, path);
  if (require) require(state);
  for_each_tensor(store.layout(), {store.values(), store.momentum(), store.buffers()},
                  [&](const std::string& name, const nn::Parameter& parameter, const TensorView& tensor) {
                    std::vector<float> values(static_cast<std::size_t>(parameter.shape.num_elements()));
                    file.read(name, TensorView(values.data(), DType::kF32, parameter.file_shape()));
                    tensor_to_device(backend, parameter, values, tensor);
                  });
  store.num_batches_tracked = file.read_int("/", "num_batches_tracked");
  store.refresh_compute_copy();
  return state;
}

RunState read_checkpoint_state(const std::filesystem::path& path) {
  require_seal(path);
  return read_state(Hdf5File::open(path), path);
}

}  // namespace barlow::train
