// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/replay.hpp"

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"

namespace barlow::train {

Replay::Replay(Backend& backend, Collectives& collectives, bool wanted)
    : backend_(backend),
      collectives_(collectives),
      possible_(wanted && backend.can_record() && collectives.can_be_recorded()) {
  if (possible_) vote_ = backend.allocate(sizeof(double));
}

void Replay::run(const Key& key, const Work& work) {
  const bool again = key_ == key;
  key_ = key;
  if (!again) recording_.reset();
  if (again && possible_ && !recording_) record(work);
  if (recording_) return recording_->replay();
  result_ = work();
}

void Replay::forget() {
  key_.reset();
  recording_.reset();
}

void Replay::record(const Work& work) {
  std::string problem;
  const void* result = nullptr;
  try {
    recording_ = backend_.record([&] { result = work(); });
    if (result != result_) problem = "its memory has moved since the last one";
  } catch (const DeviceError& error) {
    problem = error.what();
  } catch (const CommError& error) {
    problem = error.what();
  }
  if (succeeded_everywhere(problem.empty())) return;
  possible_ = false;
  recording_.reset();
  log::warning("the step cannot be recorded, so each operation is begun by itself: " +
               (problem.empty() ? "another rank's device refused" : problem));
}

/// Ranks replay together or not at all: exchanges inside a recording and outside it may not meet.
bool Replay::succeeded_everywhere(bool here) {
  if (collectives_.world_size() == 1) return here;
  double votes = here ? 1 : 0;
  const TensorView on_host(&votes, DType::kF64, {1}), on_device(vote_.data(), DType::kF64, {1});
  backend_.copy_to_device(on_host, on_device);
  collectives_.all_reduce_sum(on_device);
  backend_.copy_to_host(on_device, on_host);
  return votes == collectives_.world_size();
}

}  // namespace barlow::train
