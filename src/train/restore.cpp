// SPDX-License-Identifier: Apache-2.0
#include "restore.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "barlow/comm/agreement.hpp"
#include "barlow/train/tensor_files.hpp"

namespace barlow::train {
namespace {

void require_same_run(const RunState& state, const RestoreRequest& request) {
  const PretrainConfig& config = request.config;
  if (const auto differences = contradictions(state.configuration, config); !differences.empty()) {
    throw ConfigError(fmt::format("run \"{}\" was begun with other settings ({}); give those, or another --output",
                                  config.output, fmt::join(differences, "; ")));
  }
  if (state.data_fingerprint != request.data_fingerprint) {
    throw ConfigError(
        fmt::format("run \"{}\" was begun on other images than \"{}\" holds; give that dataset, or another --output",
                    config.output, config.data));
  }
}

/// What a run begins with.
void begin_anew(const PretrainConfig& config, nn::ParameterStore& store, Backend& backend) {
  backend.fill_zero(store.momentum());
  store.num_batches_tracked = 0;
  nn::initialize(store, backend, static_cast<std::uint64_t>(config.seed));
  if (!config.initial_weights.empty()) load_initial_weights(config.initial_weights, store, backend);
}

std::vector<std::int64_t> broadcast(const MpiSession& session, const std::vector<std::int64_t>& values) {
  const std::string bytes =
      session.broadcast({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::int64_t)});
  std::vector<std::int64_t> received(bytes.size() / sizeof(std::int64_t));
  if (!received.empty()) std::memcpy(received.data(), bytes.data(), bytes.size());
  return received;
}

}  // namespace

std::optional<RunState> restore(const RestoreRequest& request, const Runtime& runtime, nn::ParameterStore& store) {
  const MpiSession& session = runtime.session;
  // Rank 0 alone looks: another host may see a shared folder as it was a moment ago.
  const bool exists = session.max(session.is_root() && request.checkpoints.has_checkpoint() ? 1 : 0) != 0;
  RunState state;
  collectively(session, [&] {
    if (!session.is_root()) return;
    if (!exists) return begin_anew(request.config, store, runtime.backend);
    state = request.checkpoints.load_to_go_on(store, runtime.backend,
                                              [&](const RunState& found) { require_same_run(found, request); });
  });
  store.num_batches_tracked = session.max(session.is_root() ? store.num_batches_tracked : 0);
  for (const TensorView tensor : {store.values(), store.momentum(), store.buffers()})
    runtime.collectives.broadcast(tensor);
  store.refresh_compute_copy();
  if (!exists) return std::nullopt;
  state.step = session.max(state.step);
  state.skipped_batches = broadcast(session, state.skipped_batches);
  // Powers of two and counts: whole numbers.
  state.loss_scale = {.value = static_cast<double>(session.max(static_cast<long long>(state.loss_scale.value))),
                      .steady_steps = session.max(state.loss_scale.steady_steps)};
  return state;
}

}  // namespace barlow::train
