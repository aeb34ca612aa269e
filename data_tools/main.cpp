// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>

#include "barlow/base/log.hpp"
#include "barlow/comm/agreement.hpp"
#include "commands.hpp"

namespace {

using namespace barlow;

struct Command {
  const char* name;
  const char* summary;
  int (*run)(int argc, char** argv, const MpiSession& session);
};

constexpr Command kCommands[] = {
    {"pack", "pack images into a data set: folders, ImageNet's archives, IDX, CIFAR", data_tools::pack_command},
    {"verify", "check every byte of a data set and decode every image", data_tools::verify_command},
    {"info", "say what is in a data set", data_tools::info_command},
    {"extract", "write one stored image to a file, as it is", data_tools::extract_command},
    {"synthesize", "make a data set of photo-like images, for tests and benches", data_tools::synthesize_command},
};

std::string usage() {
  std::string text = "Usage: barlow-data COMMAND [flags]\n\nCommands:\n";
  for (const Command& command : kCommands) {
    const std::string name = command.name;
    text += "  " + name + std::string(12 - name.size(), ' ') + command.summary + "\n";
  }
  return text + "\n`barlow-data COMMAND --help` lists every flag. Under mpirun the ranks share the work.\n";
}

int run(int argc, char** argv, const MpiSession& session) {
  const std::string name = argc > 1 ? argv[1] : "";
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(argc - 1, argv + 1, session);
  }
  if (name == "--version" || name == "--help" || name == "-h" || name == "help") {
    const std::string text = name == "--version" ? "barlow-data " BARLOW_VERSION "\n" : usage();
    if (session.is_root()) std::fputs(text.c_str(), stdout);
    return kExitFinished;
  }
  throw AgreedError((name.empty() ? "no command given" : "unknown command \"" + name + "\"") + ("\n" + usage()),
                    kExitRefused);
}

/// An error of this rank alone: the others may be waiting for it in a collective, so all must end.
int fail_alone(const MpiSession& session, const std::string& what, int exit_code) {
  log::error(what);
  if (session.world_size() > 1) session.abort(exit_code);
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    MpiSession session(&argc, &argv);
    log::configure(log::Level::kNormal, session.is_root());
    try {
      return run(argc, argv, session);
    } catch (const AgreedError& error) {
      if (session.is_root()) log::error(error.what());
      return error.exit_code();
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
