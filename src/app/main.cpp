// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "barlow/backend/make_backend.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/train/stop_signal.hpp"
#include "commands.hpp"

namespace {

using namespace barlow;

constexpr cli::Command kCommands[] = {
    {"pretrain", "pre-train a ResNet without labels, on any number of ranks", app::pretrain_command},
    {"evaluate", "measure an encoder: kNN or a linear classifier on its frozen features", app::evaluate_command},
    {"report", "draw a run folder as one HTML file", app::report_command},
    {"status", "say how far a run is, how fast, and whether it lives", app::status_command},
    {"stop", "ask a run to stop after its next step, with a checkpoint", app::stop_command},
};

std::string version() {
  return fmt::format("barlow {}\n{}{}", cli::version_and_commit(), backend_library_versions(),
                     collectives_library_versions());
}

}  // namespace

int main(int argc, char** argv) {
  // Before MPI starts, which may take long on many nodes: a run that is asked to stop while it starts does so at its
  // first step, with a checkpoint, and comes again. The other commands have nothing to keep and end at once.
  std::optional<train::StopSignal> stop;
  if (argc > 1 && std::string_view(argv[1]) == "pretrain") stop.emplace();
  return cli::run_program({.name = "barlow",
                           .summary = "Barlow Twins pre-training at cluster scale.",
                           .hint = "`barlow --version` prints versions.\nImages are packed by `barlow-data`.",
                           .commands = kCommands,
                           .version = version},
                          argc, argv);
}
