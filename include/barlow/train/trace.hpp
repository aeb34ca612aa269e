// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "barlow/comm/mpi_session.hpp"
#include "barlow/nn/pass.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "barlow/train/metrics.hpp"

namespace barlow::train {

/// Writes everything about a few steps to an HDF5 file: views, sample ids and embeddings of the global batch,
/// parameters before and after, gradients as LARS receives them, running statistics. Rank 0 writes; the functions are
/// collective and are called in this order within a step. Slow: for checking, not for training. The file is made by the
/// first traced step, under a temporary name, and put in place when it is closed: a start that has no step to make
/// leaves an earlier trace as it is.
class Trace {
 public:
  /// @throws ConfigError on rank 0 if the file cannot be written, or is there and is no trace.
  Trace(std::filesystem::path path, std::int64_t num_steps, std::string configuration_json, const MpiSession& session);
  /// Closes, with a warning where that fails.
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  bool wants(std::int64_t step, std::int64_t first_step) const { return step - first_step < num_steps_; }
  void begin(std::int64_t step, const nn::ParameterStore& store, Backend& backend);
  /// @param images [2b,S,S,3] and embeddings [2b,D] of this rank, in the compute type, view 1 first
  void record_forward(nn::Pass& pass, std::span<const std::int64_t> local_sample_ids, const Activation& images,
                      const Activation& embeddings);
  /// @param loss_scale  by which the gradients are too large (fp16; else 1), written as an attribute of the step
  void record_gradients(const nn::ParameterStore& store, double loss_scale, Backend& backend);
  void end(const nn::ParameterStore& store, Backend& backend, const StepMetrics& metrics);
  /// After the last step. @throws StorageError.
  void close();

 private:
  void write_parameters(const std::string& group, const nn::ParameterStore& store, Backend& backend, bool gradients);
  /// [2b,...] of every rank as f32 [2,B,...] on rank 0.
  void write_gathered(nn::Pass& pass, const std::string& name, const Activation& local);

  std::filesystem::path temporary() const { return path_.string() + ".tmp"; }

  std::filesystem::path path_;
  std::string configuration_;
  const MpiSession& session_;
  std::int64_t num_steps_;
  std::optional<Hdf5File> file_;
  std::string group_;
};

}  // namespace barlow::train
