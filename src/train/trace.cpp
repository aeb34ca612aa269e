// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/trace.hpp"

#include <fmt/format.h>

#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/base/files.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/tensor_files.hpp"

namespace barlow::train {

namespace {

constexpr const char* kConfiguration = "configuration";

/// Checkpoints have a configuration as well, and like sets of images a version.
bool is_trace(const std::filesystem::path& path) {
  try {
    const Hdf5File file = Hdf5File::open(path);
    return file.contains_attribute("/", kConfiguration) && !file.contains_attribute("/", "format_version");
  } catch (const DataError&) {
    return false;
  }
}

}  // namespace

Trace::Trace(std::filesystem::path path, std::int64_t num_steps, std::string configuration_json,
             const MpiSession& session)
    : path_(std::move(path)), configuration_(std::move(configuration_json)), session_(session), num_steps_(num_steps) {
  if (!session.is_root()) return;
  require_writable("--trace", path_);
  if (file_exists(path_) && !is_trace(path_))
    throw ConfigError("--trace \"" + path_.string() +
                      "\": a file is there that is no trace; give another name, or remove it");
}

Trace::~Trace() {
  try {
    close();
  } catch (const std::exception& error) {
    log::warning(std::string("the trace is not complete: ") + error.what());
  }
}

void Trace::begin(std::int64_t step, const nn::ParameterStore& store, Backend& backend) {
  if (session_.is_root() && !file_) {
    file_ = Hdf5File::create(temporary());
    file_->write_attribute("/", kConfiguration, configuration_);
  }
  group_ = fmt::format("/step_{:06}", step);
  write_parameters("/parameters_before/", store, backend, false);
}

void Trace::record_forward(nn::Pass& pass, std::span<const std::int64_t> local_sample_ids, const Activation& images,
                           const Activation& embeddings) {
  write_gathered(pass, "/views", images);
  write_gathered(pass, "/embeddings", embeddings);
  const auto sample_ids = session_.gather_values(local_sample_ids);
  if (!file_) return;
  file_->write(group_ + "/sample_ids",
               ConstTensorView(sample_ids.data(), DType::kI64, {static_cast<std::int64_t>(sample_ids.size())}));
}

void Trace::record_gradients(const nn::ParameterStore& store, double loss_scale, Backend& backend) {
  write_parameters("/gradients/", store, backend, true);
  if (file_) file_->write_attribute(group_, "loss_scale", loss_scale);
}

void Trace::end(const nn::ParameterStore& store, Backend& backend, const StepMetrics& metrics) {
  write_parameters("/parameters_after/", store, backend, false);
  if (!file_) return;
  const auto& buffers = store.layout().buffers();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const auto values = tensor_to_host(backend, buffers[i], store.buffer(static_cast<int>(i)));
    file_->write(group_ + "/buffers_after/" + buffers[i].name,
                 ConstTensorView(values.data(), DType::kF32, buffers[i].shape));
    if (const std::string counter = batch_counter_of(buffers[i]); !counter.empty())
      file_->write(group_ + "/buffers_after/" + counter, ConstTensorView(&store.num_batches_tracked, DType::kI64, {}));
  }
  file_->write_attribute(group_, "loss", metrics.loss);
  file_->write_attribute(group_, "on_diagonal", metrics.on_diagonal);
  file_->write_attribute(group_, "off_diagonal", metrics.off_diagonal);
  file_->write_attribute(group_, "learning_rate_weights", metrics.learning_rate_weights);
  file_->write_attribute(group_, "learning_rate_biases", metrics.learning_rate_biases);
}

void Trace::close() {
  if (!file_) return;
  std::exchange(file_, std::nullopt)->close();
  std::error_code error;
  std::filesystem::rename(temporary(), path_, error);
  if (error) throw StorageError("cannot write \"" + path_.string() + "\": " + error.message());
}

void Trace::write_parameters(const std::string& group, const nn::ParameterStore& store, Backend& backend,
                             bool gradients) {
  if (!file_) return;
  const auto& parameters = store.layout().parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const int number = static_cast<int>(i);
    const auto values =
        tensor_to_host(backend, parameters[i], gradients ? store.gradient(number) : store.value(number));
    file_->write(group_ + group + parameters[i].name,
                 ConstTensorView(values.data(), DType::kF32, parameters[i].file_shape()));
  }
}

void Trace::write_gathered(nn::Pass& pass, const std::string& name, const Activation& local) {
  // Memory of its own: the arena has been measured for steps without a trace.
  const Shape& extents = local.shape();
  const std::int64_t b = extents[0] / 2;
  const auto local_bytes = static_cast<std::size_t>(extents.num_elements()) * sizeof(float);
  const Buffer local_memory = pass.backend.allocate(local_bytes);
  const Buffer gathered_memory = pass.backend.allocate(local_bytes * static_cast<std::size_t>(session_.world_size()));
  const TensorView floats(local_memory.data(), DType::kF32, extents);
  Shape shape{2, b * session_.world_size()};
  for (int axis = 1; axis < extents.rank(); ++axis) shape.append(extents[axis]);
  const TensorView gathered(gathered_memory.data(), DType::kF32, shape);

  pass.backend.cast(local, floats);
  for (std::int64_t view = 0; view < 2; ++view) {
    pass.collectives.all_gather(floats.slice(view * b, b), gathered.slice(view, 1));
  }
  pass.backend.synchronize();
  if (!file_) return;
  std::vector<float> host(static_cast<std::size_t>(shape.num_elements()));
  const TensorView target(host.data(), DType::kF32, shape);
  pass.backend.copy_to_host(gathered, target);
  file_->write(group_ + name, target);
}

}  // namespace barlow::train
