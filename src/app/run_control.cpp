// SPDX-License-Identifier: Apache-2.0
// `barlow status` and `barlow stop`: for a login node, beside a job that runs elsewhere.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>

#include "barlow/base/files.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/train/checkpoint.hpp"
#include "barlow/train/metrics.hpp"
#include "barlow/train/run_folder.hpp"
#include "commands.hpp"

namespace barlow::app {
namespace {

namespace fs = std::filesystem;

void require_run(const fs::path& run) {
  if (!file_exists(run / train::kConfigFile))
    throw ConfigError("\"" + run.string() + "\" has no config.toml; give the --output folder of barlow pretrain");
}

void print_status(const fs::path& run) {
  const auto holder = train::RunLock::holder(run);
  const bool finished = train::is_finished(run) && !holder;
  fmt::print("run          {}\n", run.string());
  fmt::print("state        {}\n", holder ? "running on " + *holder : finished ? "finished" : "not running");
  if (const auto last = train::last_metrics(run / train::kMetricsFile)) {
    fmt::print("step         {} of {} (epoch {:.2f})\n", last->step, last->total_steps, last->epoch);
    fmt::print("loss         {:.4g} (on {:.4g}, off {:.4g}; noise floor {:.4g})\n", last->loss, last->on_diagonal,
               last->off_diagonal, last->noise_floor);
    fmt::print("rate         {:.4g} images/s, the loader waited for in {:.0f} % of the time\n", last->images_per_second,
               100 * last->loader_wait_share);
    if (!finished && last->seconds_left >= 0)
      fmt::print("left         {} at this pace\n", train::to_duration(last->seconds_left));
  }
  const train::CheckpointFolder checkpoints(run);
  if (!checkpoints.has_checkpoint()) {
    fmt::print("checkpoint   none yet\n");
    return;
  }
  const train::RunState state = checkpoints.newest_whole().state;
  std::string age;
  if (const auto written = checkpoints.last_write()) {
    const std::chrono::duration<double> seconds = fs::file_time_type::clock::now() - *written;
    age = ", " + train::to_duration(seconds.count()) + " ago";
  }
  fmt::print("checkpoint   step {}{}\n", state.step, age);
  fmt::print("restarts     {}\n", state.restarts);
  fmt::print("spent        {:.2f} rank-hours up to the checkpoint (GPU-hours where a rank has a GPU)\n",
             state.rank_seconds / 3600);
}

}  // namespace

int status_command(int argc, char** argv, MpiSession& session) {
  CLI::App command("Says how far a run is, how fast, and whether it lives.", "barlow status");
  std::string run;
  command.add_option("RUN", run, "run folder of barlow pretrain")->required();
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return *exit_code;
  collectively(session, [&] {
    if (!session.is_root()) return;
    require_run(run);
    print_status(run);
  });
  return kExitFinished;
}

int stop_command(int argc, char** argv, MpiSession& session) {
  CLI::App command(
      "Asks a run to stop after its next step, with a checkpoint; the same pretrain command goes on later.",
      "barlow stop");
  std::string run;
  command.add_option("RUN", run, "run folder of barlow pretrain")->required();
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return *exit_code;
  collectively(session, [&] {
    if (!session.is_root()) return;
    require_run(run);
    const auto holder = train::RunLock::holder(run);
    if (!holder) throw ConfigError("run \"" + run + "\" is not running");
    train::request_stop(run);
    fmt::print("asked {} to stop after its next step\n", *holder);
  });
  return kExitFinished;
}

}  // namespace barlow::app
