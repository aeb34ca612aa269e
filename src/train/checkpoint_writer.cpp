// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/checkpoint_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "barlow/base/clock.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/run_folder.hpp"
#include "storage.hpp"

namespace barlow::train {
namespace {

namespace fs = std::filesystem;

/// A resumed run must find every line up to its checkpoint, after a power cut too.
void flush_metrics(const fs::path& run) {
  if (const fs::path file = run / kMetricsFile; fs::exists(file)) flush_file(file);
}

void write_snapshot(const Snapshot& snapshot, const fs::path& run, std::int64_t step) {
  try {
    snapshot.write(run, step);
  } catch (const std::exception& error) {
    log::warning(fmt::format("no snapshot for the report after step {}: {}", step, error.what()));
  }
}

}  // namespace

CheckpointWriter::CheckpointWriter(CheckpointFolder folder, const nn::ParameterStore& store, Backend& backend)
    : folder_(std::move(folder)), copy_(store, backend), thread_([this] { run_thread(); }) {}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void CheckpointWriter::begin(const RunState& run, Extras extras) {
  wait();
  copy_.take(run);
  extras_ = std::move(extras);
  {
    const std::lock_guard lock(mutex_);
    in_flight_ = true;
  }
  changed_.notify_all();
}

std::int64_t CheckpointWriter::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !in_flight_; });
  return written_step_;
}

void CheckpointWriter::finish() {
  wait();
  if (!failure_.empty())
    throw StorageError(fmt::format("the checkpoint after step {} is not written: {}", copy_.run().step, failure_));
}

double CheckpointWriter::longest_write_s() {
  const std::lock_guard lock(mutex_);
  return longest_write_s_;
}

void CheckpointWriter::run_thread() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return in_flight_ || stopping_; });
    if (!in_flight_) return;
    lock.unlock();
    const Stopwatch watch;
    write();
    lock.lock();
    longest_write_s_ = std::max(longest_write_s_, watch.elapsed_s());
    in_flight_ = false;
    changed_.notify_all();
  }
}

void CheckpointWriter::write() {
  const std::int64_t step = copy_.run().step;
  const Stopwatch watch;
  try {
    flush_metrics(folder_.path());
    folder_.save(copy_, extras_.milestone_epoch);
    written_step_ = step;
    failure_.clear();
    log::debug(fmt::format("checkpoint after step {} in {:.2f} s", step, watch.elapsed_s()));
  } catch (const std::exception& error) {
    failure_ = error.what();
    log::warning(
        fmt::format("the checkpoint after step {} is not written: {}; the one before stays and training goes on. Make "
                    "room, or make \"{}\" writable: the next checkpoint tries again",
                    step, failure_, folder_.path().string()));
  }
  if (extras_.snapshot) write_snapshot(*extras_.snapshot, folder_.path(), step);
  extras_.snapshot.reset();
}

}  // namespace barlow::train
