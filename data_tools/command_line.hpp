// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "barlow/comm/agreement.hpp"

namespace barlow::data_tools {

/// Parses; a returned exit code ends the command (help was asked for). A refused command line is an AgreedError.
inline std::optional<int> parse(CLI::App& command, int argc, char** argv, const MpiSession& session) {
  try {
    command.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      throw AgreedError(std::string(error.what()) + "\nRun `" + command.get_name() + " --help` for all flags.",
                        kExitRefused);
    }
    if (session.is_root()) command.exit(error);
    return kExitFinished;
  }
}

}  // namespace barlow::data_tools
