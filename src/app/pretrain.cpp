// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <functional>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/cli/flags.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/comm/watched_collectives.hpp"
#include "barlow/train/checkpoint.hpp"
#include "barlow/train/config.hpp"
#include "barlow/train/trainer.hpp"
#include "commands.hpp"

namespace barlow::app {
namespace {

struct Request {
  train::PretrainConfig config;
  std::string preset;
  bool check_config = false;
};

void add_option(CLI::App& command, const std::string& flag, bool& value, const char* help) {
  command.add_flag("--" + flag + "{true},!--no-" + flag, value, help);
}

// Of several values of a flag the last counts: scripts append what they override.

void add_option(CLI::App& command, const std::string& flag, std::string& value, const char* help) {
  command.add_option("--" + flag, value, help)->take_last()->capture_default_str();
}

template <class Number>
void add_option(CLI::App& command, const std::string& flag, Number& value, const char* help) {
  CLI::Option* option = cli::add_number(command, "--" + flag, value, help)->take_last()->capture_default_str();
  if (train::is_from_preset(value)) option->default_str("of the preset");
}

/// The exit code of a start that loses a rank. Where it has written a checkpoint, starting again makes progress, and
/// job scripts do that; a start that always hangs at one place is not repeated for ever. Every rank asks the run
/// folder, by the rule of jobs/lib/common.sh for ranks that die: then they agree without a message.
std::function<int()> exit_code_without_rank(const std::string& run) {
  const train::CheckpointFolder checkpoints(run);
  return [checkpoints, before = checkpoints.last_write()] {
    return checkpoints.last_write() > before ? kExitStopped : kExitFailed;
  };
}

/// One parse of the command line over the values that `request` already has.
std::optional<int> parse_over(Request& request, int argc, char** argv, const MpiSession& session) {
  CLI::App command(
      "Pre-trains a ResNet without labels (Barlow Twins) on packed images. Started under mpirun or srun, the ranks\n"
      "share the work; started alone, it is one rank. If RUN holds a checkpoint, the run goes on from there.\n"
      "Exit codes: 0 finished, 75 stopped with a checkpoint (start it again to go on), 2 refused, 1 anything else.",
      "barlow pretrain");
  cli::add_config_file(command);
  command.add_option("--preset", request.preset,
                     fmt::format("start from a published point: {}", fmt::join(train::preset_names(), ", ")));
  command.add_flag("--check-config", request.check_config, "print the resolved configuration as TOML and exit");
  train::for_each_field(request.config, [&](const char* flag, auto& value, train::Scope, const char* help) {
    add_option(command, flag, value, help);
  });
  return cli::parse(command, argc, argv, session);
}

}  // namespace

int pretrain_command(int argc, char** argv, MpiSession& session) {
  Request request;
  if (const auto exit_code = parse_over(request, argc, argv, session)) return *exit_code;
  if (session.max(request.preset.empty() ? 0 : 1) != 0) {
    collectively(session, [&] {
      if (!request.preset.empty()) request.config = train::preset(request.preset);
    });
    parse_over(request, argc, argv, session);
  }
  train::PretrainConfig& config = request.config;
  collectively(session, [&] { train::resolve(config); });
  require_same(session, train::shared_settings(config));
  if (session.max(request.check_config ? 1 : 0) != 0) {
    if (session.is_root()) fmt::print("{}", train::to_toml(config));
    return kExitFinished;
  }
  // Ctrl-C ends the reader of the log, too (`2>&1 | tee log`): the run makes its checkpoint all the same.
  std::signal(SIGPIPE, SIG_IGN);
  const auto level = config.quiet ? log::Level::kQuiet : config.verbose ? log::Level::kVerbose : log::Level::kNormal;
  log::configure(level, session.is_root());

  // Before the device and the connections between GPUs, which may hang when they are made and when they are closed.
  const auto exit_code = exit_code_without_rank(config.output);
  Watchdog watchdog(config.hang_timeout, end_job_on_hang(session, exit_code));
  watchdog.enter("starting the device");
  const auto backend = collectively(session, [&] {
    return make_backend({.device = config.device,
                         .local_rank = session.local_rank(),
                         .local_size = session.local_size(),
                         .num_threads = static_cast<int>(config.threads),
                         .tf32 = config.precision == "tf32",
                         .deterministic = config.deterministic});
  });
  // Part of what the run computes: a run that was begun in one precision does not go on in another by chance.
  if (config.precision == "auto") config.precision = session.broadcast(name_of(backend->preferred_dtype()));
  watchdog.enter("connecting the ranks");
  const auto collectives = make_collectives(session, *backend,
                                            {.kind = config.collectives,
                                             .share_device = config.share_device,
                                             .deterministic = config.deterministic,
                                             .exit_code_without_rank = exit_code});
  WatchedCollectives watched(*collectives, watchdog);
  train::Outcome outcome{};
  try {
    outcome = train::pretrain(config, {session, *backend, watched}, watchdog);
  } catch (const CommError& error) {  // what the death of another rank looks like from here
    throw LoneError(error.what(), exit_code());
  } catch (const DeviceError& error) {  // and that of this rank's device
    throw LoneError(error.what(), exit_code());
  }
  watchdog.enter("closing the device");
  return outcome == train::Outcome::kFinished ? kExitFinished : kExitStopped;
}

}  // namespace barlow::app
