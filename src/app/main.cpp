// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/log.hpp"
#include "barlow/comm/agreement.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/train/stop_signal.hpp"
#include "commands.hpp"

namespace {

using namespace barlow;

struct Command {
  const char* name;
  const char* summary;
  int (*run)(int argc, char** argv, MpiSession& session);
};

constexpr Command kCommands[] = {
    {"pretrain", "pre-train a ResNet without labels, on any number of ranks", app::pretrain_command},
    {"evaluate", "measure an encoder: kNN or a linear classifier on its frozen features", app::evaluate_command},
    {"report", "draw a run folder as one HTML file", app::report_command},
    {"status", "say how far a run is, how fast, and whether it lives", app::status_command},
    {"stop", "ask a run to stop after its next step, with a checkpoint", app::stop_command},
};

std::string usage() {
  std::string text = "Usage: barlow COMMAND [flags]\n\nBarlow Twins pre-training at cluster scale.\n\nCommands:\n";
  for (const Command& command : kCommands) {
    text += "  " + std::string(command.name) + std::string(12 - std::string(command.name).size(), ' ') +
            command.summary + "\n";
  }
  return text +
         "\n`barlow COMMAND --help` lists every flag of a command; `barlow --version` prints versions.\n"
         "Images are packed by `barlow-data`.\n";
}

int run(int argc, char** argv, MpiSession& session) {
  const std::string name = argc > 1 ? argv[1] : "";
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(argc - 1, argv + 1, session);
  }
  if (name == "--version") {
    if (session.is_root())
      std::printf("barlow %s (%s)\n%s", BARLOW_VERSION, BARLOW_COMMIT,
                  (backend_library_versions() + collectives_library_versions()).c_str());
    return kExitFinished;
  }
  if (name == "--help" || name == "-h" || name == "help") {
    if (session.is_root()) std::fputs(usage().c_str(), stdout);
    return kExitFinished;
  }
  throw AgreedError(name.empty() ? "no command given\n" + usage() : "unknown command \"" + name + "\"\n" + usage(),
                    kExitRefused);
}

/// An error of this rank alone: the others may be waiting for it in a collective, so all must end.
int fail_alone(const MpiSession& session, const std::string& what, int exit_code) {
  if (session.world_size() == 1) {
    log::error(what);
    return exit_code;
  }
  log::error("[rank " + std::to_string(session.rank()) + " of " + std::to_string(session.world_size()) + ", " +
             session.host() + "] " + what);
  session.abort(exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  // Before MPI starts, which may take long on many nodes: a run that is asked to stop while it starts does so at its
  // first step, with a checkpoint, and comes again. The other commands have nothing to keep and end at once.
  std::optional<train::StopSignal> stop;
  if (argc > 1 && std::string_view(argv[1]) == "pretrain") stop.emplace();
  try {
    MpiSession session(&argc, &argv);
    log::configure(log::Level::kNormal, session.is_root());
    try {
      return run(argc, argv, session);
    } catch (const AgreedError& error) {
      log::status_line("");
      if (session.is_root()) log::error(error.what());
      return error.exit_code();
    } catch (const LoneError& error) {
      return fail_alone(session, error.what(), error.exit_code());
    } catch (const UserError& error) {
      return fail_alone(session, error.what(), kExitRefused);
    } catch (const std::exception& error) {
      return fail_alone(session, error.what(), kExitFailed);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return kExitFailed;
  }
}
