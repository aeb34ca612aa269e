// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "barlow/nn/parameters.hpp"

namespace barlow::train {

/// Everything about a run but its tensors.
struct RunState {
  std::int64_t step = 0;      ///< steps done
  std::int64_t restarts = 0;  ///< how often the run was taken up again
  std::string configuration;  ///< JSON
  std::string data_fingerprint;
};

/// The checkpoints of one run folder: `checkpoint.h5` and the generation before it. A new one is written under a
/// temporary name, flushed to the disk and renamed, so that at every moment at least one complete checkpoint exists.
/// Every tensor carries a checksum. Used by one rank.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path run) : run_(std::move(run)) {}

  bool has_checkpoint() const;
  /// @throws StorageError; the older checkpoints are then as they were.
  void save(const RunState& state, const nn::ParameterStore& store, Backend& backend) const;
  /// Reads the newest checkpoint that is whole, with a warning if that is not the newest. @throws DataError if none is.
  RunState load(nn::ParameterStore& store, Backend& backend) const;
  /// The state alone, of the newest checkpoint.
  RunState load_state() const;

 private:
  template <class Read>
  RunState read_newest(Read&& read) const;

  std::filesystem::path run_;
};

/// Reads one checkpoint file into the store: parameters, and momentum where the store has it, and running statistics.
/// @throws DataError naming the file and what is missing, damaged or of another shape.
RunState read_checkpoint(const std::filesystem::path& file, nn::ParameterStore& store, Backend& backend);
RunState read_checkpoint_state(const std::filesystem::path& file);

}  // namespace barlow::train
