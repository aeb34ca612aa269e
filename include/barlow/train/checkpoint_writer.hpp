// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "barlow/train/checkpoint.hpp"
#include "barlow/train/snapshot.hpp"

namespace barlow::train {

/// Writes checkpoints in a thread of its own while training goes on; one at a time. A write that fails leaves the older
/// checkpoints as they were, is told of in a warning, and is made good by the next one that succeeds. Used by one
/// thread of one rank.
class CheckpointWriter {
 public:
  /// Allocates the host memory of the copy. @param store  outlives every begin() @param backend  outlives the writer
  CheckpointWriter(CheckpointFolder folder, const nn::ParameterStore& store, Backend& backend);
  /// Waits for the write in flight.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// What is written with a checkpoint.
  struct Extras {
    std::optional<Snapshot> snapshot;
    std::int64_t milestone_epoch = 0;  ///< above 0: keeps the checkpoint under this epoch's name
  };
  /// Copies the run as it is and returns; waits first for a write that is still in flight.
  void begin(const RunState& run, Extras extras);
  /// Waits for the write in flight. The step of the latest checkpoint that this writer wrote whole; -1: none.
  std::int64_t wait();
  /// Waits for the write in flight. @throws StorageError if the latest checkpoint could not be written.
  void finish();
  /// Of all so far, from copy to rename.
  double longest_write_s();

 private:
  void run_thread();
  void write();

  CheckpointFolder folder_;
  StateCopy copy_;
  Extras extras_;
  std::int64_t written_step_ = -1;
  std::string failure_;  ///< of the latest write; empty if it succeeded
  double longest_write_s_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool in_flight_ = false, stopping_ = false;
  std::jthread thread_;  // the last member: it uses all others
};

}  // namespace barlow::train
