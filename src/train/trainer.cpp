// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/trainer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <utility>

#include "barlow/base/clock.hpp"
#include "barlow/base/log.hpp"
#include "barlow/comm/agreement.hpp"
#include "barlow/comm/watched_collectives.hpp"
#include "barlow/train/checkpoint_writer.hpp"
#include "barlow/train/metrics.hpp"
#include "barlow/train/nonfinite.hpp"
#include "barlow/train/open_dataset.hpp"
#include "barlow/train/run_folder.hpp"
#include "barlow/train/stop_signal.hpp"
#include "barlow/train/tensor_files.hpp"
#include "batch_stream.hpp"
#include "memory_plan.hpp"
#include "pace.hpp"
#include "profile.hpp"
#include "restore.hpp"
#include "run_plan.hpp"
#include "start_report.hpp"
#include "time_limit.hpp"

namespace barlow::train {
namespace {

namespace fs = std::filesystem;

/// What the ranks decide together between two steps; the largest wish wins.
enum class Verdict : long long { kGoOn, kCheckpoint, kStop, kFail };

class Run {
 public:
  Run(const PretrainConfig& config, const Runtime& runtime, Watchdog& watchdog)
      : config_(config),
        runtime_(runtime),
        session_(runtime.session),
        watchdog_(watchdog),
        dataset_(open_dataset("--data", config.data, session_)),
        plan_(collectively(session_, [&] { return RunPlan(config, dataset_, runtime); })),
        batches_(config, dataset_, plan_),
        checkpoints_(config.output),
        profile_(config, runtime),
        pace_(plan_.total_steps) {}

  Outcome train();

 private:
  void prepare_folder();
  std::string reason_to_stop(std::int64_t done_now);
  RestoreRequest restore_request() const { return {config_, dataset_.fingerprint(), checkpoints_}; }
  void restore(TrainingStep& step);
  void start_from(std::int64_t steps_done);
  std::int64_t recover(TrainingStep& step, const data::HostBatch& batch, NonFiniteStep failed);
  Verdict agree(data::HostBatch& batch, std::int64_t steps_done);
  void update(TrainingStep& step, const TrainingStep::Result& result, optim::Schedule::Rates rates,
              std::int64_t steps_done);
  StepMetrics metrics_of(const TrainingStep::Result& result, optim::Schedule::Rates rates, std::int64_t steps_done,
                         TrainingStep& step) const;
  void record(StepMetrics metrics);
  void save(TrainingStep& step, std::int64_t steps_done, const data::HostBatch* batch);
  Outcome stop(TrainingStep& step, std::int64_t steps_done);
  Outcome finish(TrainingStep& step);
  void settle_files(std::initializer_list<std::function<void()>> writes);

  const PretrainConfig& config_;
  const Runtime& runtime_;
  MpiSession& session_;
  Watchdog& watchdog_;
  data::Dataset dataset_;
  RunPlan plan_;
  BatchStream batches_;
  CheckpointFolder checkpoints_;
  Profile profile_;
  std::optional<RunLock> lock_;  // of rank 0
  TimeLimit time_limit_;
  double longest_step_s_ = 0;  ///< of this start, with its wait for images and for a checkpoint's copy
  std::string stop_reason_ = "on request";
  RunState state_;
  std::int64_t first_step_ = 0;
  std::int64_t saved_at_ = -1;              ///< the step of the latest checkpoint that was begun
  std::optional<MetricsFile> metrics_;      // of rank 0
  std::optional<CheckpointWriter> writer_;  // of rank 0
  Stopwatch since_checkpoint_;
  Pace pace_;
  double rank_seconds_before_ = 0;  ///< this start
  bool has_forecast_ = false;
};

Outcome Run::train() {
  watchdog_.enter("preparing the run folder");
  collectively(session_, [&] { prepare_folder(); });
  const MemoryPlan memory = plan_memory(config_, plan_, runtime_);
  report_start(config_, plan_, memory, dataset_, runtime_);
  require_memory(config_, plan_, memory, runtime_);
  TrainingStep step(config_, plan_.step, runtime_.backend, profile_.collectives());
  watchdog_.enter("reading the checkpoint");
  restore(step);

  std::optional<Trace> trace;
  if (!config_.trace.empty()) {
    collectively(session_, [&] { trace.emplace(config_.trace, config_.trace_steps, to_json(config_), session_); });
  }

  pace_.begin(first_step_);
  std::int64_t done = first_step_;
  while (done < plan_.total_steps) {
    const Stopwatch step_watch;
    profile_.begin_step(done);
    data::HostBatch batch;
    const Verdict verdict = agree(batch, done);
    if (verdict == Verdict::kStop) return stop(step, done);
    if (verdict == Verdict::kCheckpoint) save(step, done, nullptr);

    Trace* const tracing = trace && trace->wants(done, first_step_) ? &*trace : nullptr;
    if (tracing != nullptr) tracing->begin(done, step.gather_state(), runtime_.backend);
    const optim::Schedule::Rates rates = plan_.schedule.at(done);
    watchdog_.enter(step_operation(runtime_.collectives));
    batches_.begin_uploads(batch, step.uploads());
    const TrainingStep::Result result = step.compute(batches_.input_of(batch), tracing, profile_.profiler());
    watchdog_.enter("agreeing with the other ranks on a step's result");
    if (session_.max(result.non_finite ? 1 : 0) != 0) {
      trace.reset();
      profile_.drop_step();
      done = recover(step, batch, {done + 1, batch.step, plan_.epoch_of(done), result, rates, {}, {}});
      continue;
    }
    ++done;
    update(step, result, rates, done);

    const StepMetrics metrics = metrics_of(result, rates, done, step);
    if (tracing != nullptr) tracing->end(step.gather_state(), runtime_.backend, metrics);
    if (trace && !trace->wants(done, first_step_)) trace->close();
    if (done % config_.log_every_steps == 0 || done == plan_.total_steps) record(metrics);
    if (done % plan_.steps_per_epoch == 0 || done == plan_.total_steps) save(step, done, &batch);
    batches_.recycle(std::move(batch));
    longest_step_s_ = std::max(longest_step_s_, step_watch.elapsed_s());
  }
  return finish(step);
}

void Run::prepare_folder() {
  if (!session_.is_root()) return;
  const fs::path run(config_.output);
  std::error_code error;
  fs::create_directories(run, error);
  if (error)
    throw ConfigError(fmt::format("--output \"{}\": cannot make the folder: {}", config_.output, error.message()));
  lock_.emplace(run);
  clear_stop_request(run);
  checkpoints_.remove_leftovers();
  if (checkpoints_.has_checkpoint()) return;  // config.toml describes the run that is there
  begin_run_folder(run, to_toml(config_));
}

void Run::restore(TrainingStep& step) {
  if (auto state = train::restore(restore_request(), runtime_, step.store())) {
    state_ = std::move(*state);
    ++state_.restarts;
    rank_seconds_before_ = state_.rank_seconds;
    step.loss_scale() = state_.loss_scale;
    if (session_.is_root()) log::info(fmt::format("going on after step {} of {}", state_.step, plan_.total_steps));
  }
  first_step_ = saved_at_ = state_.step;
  state_.configuration = to_json(config_);
  state_.data_fingerprint = dataset_.fingerprint();
  collectively(session_, [&] {
    if (session_.is_root()) writer_.emplace(checkpoints_, step.store(), runtime_.backend);
  });
  start_from(first_step_);
}

/// Batches and metrics as they are after that many steps.
void Run::start_from(std::int64_t steps_done) {
  batches_.start(steps_done, state_.skipped_batches, session_);
  collectively(session_, [&] {
    if (session_.is_root()) metrics_.emplace(fs::path(config_.output) / kMetricsFile, steps_done);
  });
  pace_.begin_line(steps_done);
}

/// What follows a step that is not finite: the step to go on from. @throws AgreedError where the run ends instead.
std::int64_t Run::recover(TrainingStep& step, const data::HostBatch& batch, NonFiniteStep failed) {
  const auto rollbacks = static_cast<std::int64_t>(state_.skipped_batches.size());
  const auto file = fs::path(config_.output) / non_finite_name(failed.step, rollbacks);
  step.gather_gradients();
  const std::string what = investigate(std::move(failed), batch.sample_ids, runtime_, step.gather_state(), file);
  const bool may_go_back = config_.on_nonfinite == "rollback";
  if (!may_go_back || rollbacks >= config_.max_rollbacks) {
    throw AgreedError(
        fmt::format("{}; the weights have not been touched, the checkpoint stays. {}lower --learning-rate-weights, or "
                    "lengthen --warmup-epochs",
                    what,
                    may_go_back ? fmt::format("After --max-rollbacks {} this is no accident: ", rollbacks)
                                : "If it is a single batch's fault, give --on-nonfinite rollback; else "),
        kExitFailed);
  }
  if (session_.is_root()) writer_->wait();
  const auto state = train::restore(restore_request(), runtime_, step.store());
  state_.step = state ? state->step : 0;
  if (state) step.loss_scale() = state->loss_scale;
  state_.skipped_batches.push_back(batch.step);
  if (session_.is_root()) {
    log::warning(fmt::format("{}; going back to step {}, without that batch (rollback {} of {})", what, state_.step,
                             rollbacks + 1, config_.max_rollbacks));
  }
  step.uploads().forget();
  start_from(state_.step);
  save(step, state_.step, nullptr);  // a job that is killed now goes on without the batch, too
  return state_.step;
}

/// Takes the next batch and agrees with the other ranks on what comes next.
Verdict Run::agree(data::HostBatch& batch, std::int64_t steps_done) {
  PhaseScope phase(profile_.profiler(), Phase::kInputWait);
  std::exception_ptr error;
  watchdog_.enter("waiting for images");
  try {
    batch = batches_.next();
  } catch (const Error&) {
    error = std::current_exception();
  }
  phase.next(Phase::kAgreement);
  watchdog_.enter("agreeing with the other ranks on the next step");
  const std::int64_t done_now = steps_done - first_step_;
  Verdict wish = Verdict::kGoOn;
  const bool due_by_steps =
      config_.checkpoint_every_steps > 0 && steps_done != saved_at_ && steps_done % config_.checkpoint_every_steps == 0;
  const bool due_by_time =
      config_.checkpoint_every_minutes > 0 && since_checkpoint_.elapsed_s() > 60 * config_.checkpoint_every_minutes;
  if (due_by_steps || (session_.is_root() && due_by_time)) wish = Verdict::kCheckpoint;
  if (std::string reason = reason_to_stop(done_now); !reason.empty()) {
    wish = Verdict::kStop;
    stop_reason_ = std::move(reason);
  }
  if (error) wish = Verdict::kFail;
  const auto verdict = static_cast<Verdict>(session_.max(static_cast<long long>(wish)));
  if (verdict == Verdict::kFail) settle(session_, error);
  return verdict;
}

/// Why this rank wants to stop now; empty if it does not. Files and clocks are rank 0's to look at.
std::string Run::reason_to_stop(std::int64_t done_now) {
  if (StopSignal::received() != 0 || (config_.stop_after_steps > 0 && done_now >= config_.stop_after_steps))
    return "on request";
  if (!session_.is_root()) return "";
  if (is_stop_requested(config_.output)) return "on request";
  if (done_now > 0 && time_limit_.is_near(longest_step_s_, writer_->longest_write_s()))
    return "before the job's time limit";
  return "";
}

void Run::update(TrainingStep& step, const TrainingStep::Result& result, optim::Schedule::Rates rates,
                 std::int64_t steps_done) {
  const PhaseScope phase(profile_.profiler(), Phase::kLars);
  if (result.skipped && session_.is_root()) {
    log::debug(fmt::format("step {}: fp16 gradients overflowed; the step is skipped, the loss scale now {:g}",
                           steps_done, step.loss_scale().value));
  }
  step.update(result, rates);
}

StepMetrics Run::metrics_of(const TrainingStep::Result& result, optim::Schedule::Rates rates, std::int64_t steps_done,
                            TrainingStep& step) const {
  return {.step = steps_done,
          .epoch = plan_.epoch_of(steps_done),
          .loss = result.on_diagonal + result.off_diagonal,
          .on_diagonal = result.on_diagonal,
          .off_diagonal = result.off_diagonal,
          .noise_floor = ssl::noise_floor(config_.lambd, step.embedding_width(), config_.batch_size),
          .learning_rate_weights = rates.weights,
          .learning_rate_biases = rates.biases,
          .gradient_norm = step.gradient_norm()};
}

void Run::record(StepMetrics metrics) {
  pace_.end_line(metrics, config_.batch_size, batches_.wait_seconds());
  if (!session_.is_root()) return;
  metrics_->record(metrics);
  const std::string line = to_line(metrics);
  if (log::is_terminal()) {
    log::status_line(line);
  } else {
    log::info(line);
  }
  if (time_limit_.exists() && !std::exchange(has_forecast_, true))
    log::info("time limit: " + time_limit_.forecast(metrics.seconds_left, true));
}

/// @param batch  the latest one, for the snapshot; null where it has not been computed
void Run::save(TrainingStep& step, std::int64_t steps_done, const data::HostBatch* batch) {
  const PhaseScope phase(profile_.profiler(), Phase::kCheckpoint);
  watchdog_.enter("copying the state for a checkpoint, or waiting for the one before");
  step.gather_state();
  state_.step = saved_at_ = steps_done;
  state_.loss_scale = step.loss_scale();
  state_.rank_seconds = rank_seconds_before_ + pace_.elapsed_s() * session_.world_size();
  CheckpointWriter::Extras extras{.snapshot = {},
                                  .milestone_epoch = plan_.milestone_at(steps_done, config_.keep_every)};
  if (batch != nullptr) {
    const std::vector<float> zh = step.normalized_embeddings();
    const Shape shape{2 * static_cast<std::int64_t>(batch->sample_ids.size()), step.embedding_width()};
    extras.snapshot.emplace(session_, *batch, config_.image_size, ConstTensorView(zh.data(), DType::kF32, shape));
  }
  if (session_.is_root()) {
    metrics_->retry();
    writer_->begin(state_, std::move(extras));
  }
  since_checkpoint_.restart();
}

Outcome Run::stop(TrainingStep& step, std::int64_t steps_done) {
  profile_.drop_step();
  const bool is_missing = session_.is_root() && writer_->wait() != steps_done;
  if (session_.max(is_missing ? 1 : 0) != 0) save(step, steps_done, nullptr);
  settle_files({[&] { writer_->finish(); }, [&] { metrics_->finish(); }});
  if (session_.is_root()) {
    log::info(fmt::format("stopped {} after step {}; start the same command again to go on", stop_reason_, steps_done));
    if (time_limit_.exists() && steps_done > first_step_)
      log::info("time limit: " + time_limit_.forecast(pace_.seconds_left(steps_done), false));
  }
  profile_.finish();
  return Outcome::kStopped;
}

/// The last writes of this start, all tried on rank 0: without one of them the job has not done what it says it has.
void Run::settle_files(std::initializer_list<std::function<void()>> writes) {
  watchdog_.enter("waiting for the last checkpoint and the weights to be written");
  collectively(session_, [&] {
    std::vector<std::string> failures;
    for (const auto& write : writes) {
      try {
        if (session_.is_root()) write();
      } catch (const StorageError& error) {
        failures.emplace_back(error.what());
      }
    }
    if (!failures.empty())
      throw StorageError(fmt::format("{}. Make room, or make \"{}\" writable, and start the same command again",
                                     fmt::join(failures, "; "), config_.output));
  });
}

Outcome Run::finish(TrainingStep& step) {
  profile_.finish();
  log::status_line("");
  const fs::path weights = fs::path(config_.output) / kWeightsFile;
  settle_files({[&] { writer_->finish(); }, [&] { metrics_->finish(); },
                [&] { export_backbone(weights, step.store(), runtime_.backend); }});
  if (session_.is_root())
    log::info(fmt::format("finished: {} steps; weights in {}", plan_.total_steps, weights.string()));
  return Outcome::kFinished;
}

}  // namespace

Outcome pretrain(const PretrainConfig& config, const Runtime& runtime, Watchdog& watchdog) {
  return Run(config, runtime, watchdog).train();
}

}  // namespace barlow::train
