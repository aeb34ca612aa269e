// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "barlow/nn/parameters.hpp"
#include "barlow/train/run_state.hpp"
#include "barlow/train/state_copy.hpp"

namespace barlow::train {

/// What a reader requires of the state that it finds.
using RequireState = std::function<void(const RunState&)>;

/// The checkpoints of one run folder: `checkpoint.h5`, the generation before it, and milestones. A new one is written
/// under a temporary name, flushed to the disk and renamed, so that at every moment at least one complete checkpoint
/// exists; where the file system has hard links, one named `checkpoint.h5`. The whole file and every tensor carry
/// checksums. Used by one rank.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path run) : run_(std::move(run)) {}

  /// @throws StorageError or UserError where the folder cannot be read; so do the readers below, where a file is there
  /// and cannot be read: no other takes its place then.
  bool has_checkpoint() const;
  /// @param milestone_epoch  above 0: keeps it as `checkpoint.epoch-NNNN.h5` as well
  /// @throws StorageError; the older checkpoints are then as they were, and no temporary file is left.
  void save(const StateCopy& state, std::int64_t milestone_epoch = 0) const;
  struct Found {
    RunState state;
    std::filesystem::path file;
  };
  /// The state of the newest checkpoint that is whole, with a warning if that is not the newest, and the file that
  /// holds it. Where there is neither a newest nor a previous one, the latest milestone counts, with a warning. Nothing
  /// is renamed. @throws DataError if none is whole; ConfigError if it is of another format.
  Found newest_whole() const;

  /// Reads what newest_whole() finds into the store, for the job that goes on with the run and saves into it: a damaged
  /// newest file is set aside as `checkpoint.damaged.h5`. The next save() would put it over the one whole checkpoint
  /// that is left, and a kill before the second of its renames would leave none. @throws StorageError if it cannot be
  /// renamed
  /// @param require  is called with the state before any tensor is read, and may throw ConfigError
  RunState load_to_go_on(nn::ParameterStore& store, Backend& backend, const RequireState& require = {}) const;

  /// When the newest checkpoint was written, by the folder's clock; nothing where there is none. Opens no file.
  std::optional<std::filesystem::file_time_type> last_write() const;
  /// Removes the temporary files of a job that was killed while it wrote them.
  void remove_leftovers() const;
  const std::filesystem::path& path() const { return run_; }

 private:
  template <class Read>
  Found read_newest(Read&& read) const;
  [[noreturn]] void fail_whole(const std::string& reason) const;

  std::filesystem::path run_;
};

/// Reads one checkpoint file into the store: parameters, and momentum where the store has it, and running statistics.
/// @param require  is called with the state before any tensor is read
/// @throws DataError naming the file and what is missing, damaged or of another shape; ConfigError for another format.
RunState read_checkpoint(const std::filesystem::path& file, nn::ParameterStore& store, Backend& backend,
                         const RequireState& require = {});
RunState read_checkpoint_state(const std::filesystem::path& file);

}  // namespace barlow::train
