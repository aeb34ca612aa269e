// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/checkpoint.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "barlow/train/tensor_files.hpp"

namespace barlow::train {
namespace {

constexpr std::int64_t kFormatVersion = 1;
constexpr const char* kNewest = "checkpoint.h5";
constexpr const char* kPrevious = "checkpoint.previous.h5";
constexpr const char* kTemporary = "checkpoint.h5.tmp";

/// Calls f(dataset name, parameter, device tensor) for everything a checkpoint holds of the store.
template <class F>
void for_each_tensor(const nn::ParameterStore& store, F&& f) {
  const auto& parameters = store.layout().parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const nn::Parameter& parameter = parameters[i];
    f("parameters/" + parameter.name, parameter, store.value(static_cast<int>(i)));
    if (!store.momentum()) continue;
    const TensorView momentum = store.momentum().slice(parameter.offset, parameter.shape.num_elements());
    f("momentum/" + parameter.name, parameter, momentum.reshaped(parameter.shape));
  }
  const auto& buffers = store.layout().buffers();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    f("buffers/" + buffers[i].name, buffers[i], store.buffer(static_cast<int>(i)));
  }
}

void write_checkpoint(const std::filesystem::path& path, const RunState& state, const nn::ParameterStore& store,
                      Backend& backend) {
  Hdf5File file = Hdf5File::create(path);
  for_each_tensor(store, [&](const std::string& name, const nn::Parameter& parameter, TensorView tensor) {
    const std::vector<float> values = tensor_to_host(backend, parameter, tensor);
    file.write(name, ConstTensorView(values.data(), DType::kF32, parameter.file_shape()), true);
  });
  file.write_attribute("/", "format_version", kFormatVersion);
  file.write_attribute("/", "step", state.step);
  file.write_attribute("/", "restarts", state.restarts);
  file.write_attribute("/", "num_batches_tracked", store.num_batches_tracked);
  file.write_attribute("/", "data_fingerprint", state.data_fingerprint);
  file.write_attribute("/", "configuration", state.configuration);
  file.close();
}

void flush_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;  // some file systems open no folders; the rename is ordered there anyway
  ::fsync(descriptor);
  ::close(descriptor);
}

RunState read_state(const Hdf5File& file, const std::filesystem::path& path) {
  if (const auto version = file.read_int("/", "format_version"); version != kFormatVersion) {
    throw DataError("\"" + path.string() + "\": checkpoint format " + std::to_string(version) +
                    ", this program reads " + std::to_string(kFormatVersion) +
                    "; continue with the version that wrote it");
  }
  return {.step = file.read_int("/", "step"),
          .restarts = file.read_int("/", "restarts"),
          .configuration = file.read_string("/", "configuration"),
          .data_fingerprint = file.read_string("/", "data_fingerprint")};
}

}  // namespace

bool CheckpointFolder::has_checkpoint() const {
  return std::filesystem::exists(run_ / kNewest) || std::filesystem::exists(run_ / kPrevious);
}

void CheckpointFolder::save(const RunState& state, const nn::ParameterStore& store, Backend& backend) const {
  const auto temporary = run_ / kTemporary;
  try {
    write_checkpoint(temporary, state, store, backend);
    if (std::filesystem::exists(run_ / kNewest)) std::filesystem::rename(run_ / kNewest, run_ / kPrevious);
    std::filesystem::rename(temporary, run_ / kNewest);
  } catch (const std::filesystem::filesystem_error& error) {
    throw StorageError(std::string("cannot put the checkpoint in place: ") + error.what());
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  flush_folder(run_);
}

template <class Read>
RunState CheckpointFolder::read_newest(Read&& read) const {
  if (std::filesystem::exists(run_ / kNewest)) {
    try {
      return read(run_ / kNewest);
    } catch (const DataError& error) {
      if (!std::filesystem::exists(run_ / kPrevious)) throw;
      log::warning(std::string(error.what()) + "; going back to " + kPrevious);
    }
  }
  return read(run_ / kPrevious);
}

RunState CheckpointFolder::load(nn::ParameterStore& store, Backend& backend) const {
  return read_newest([&](const std::filesystem::path& path) { return read_checkpoint(path, store, backend); });
}

RunState CheckpointFolder::load_state() const { return read_newest(read_checkpoint_state); }

RunState read_checkpoint(const std::filesystem::path& path, nn::ParameterStore& store, Backend& backend) {
  const Hdf5File file = Hdf5File::open(path);
  const RunState state = read_state(file, path);
  for_each_tensor(store, [&](const std::string& name, const nn::Parameter& parameter, TensorView tensor) {
    std::vector<float> values(static_cast<std::size_t>(parameter.shape.num_elements()));
    file.read(name, TensorView(values.data(), DType::kF32, parameter.file_shape()));
    tensor_to_device(backend, parameter, values, tensor);
  });
  store.num_batches_tracked = file.read_int("/", "num_batches_tracked");
  store.refresh_compute_copy();
  return state;
}

RunState read_checkpoint_state(const std::filesystem::path& path) { return read_state(Hdf5File::open(path), path); }

}  // namespace barlow::train
