// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>

#include "barlow/comm/agreement.hpp"

namespace CLI {
class App;
}

/// What the programs with subcommands share.
namespace barlow::cli {

/// A subcommand. run() takes the command line from the command's name on, is called on every rank, and returns the exit
/// code; what goes wrong on every rank alike is thrown as AgreedError.
struct Command {
  const char* name;
  const char* summary;
  int (*run)(int argc, char** argv, MpiSession& session);
};

struct Program {
  const char* name;
  const char* summary;  ///< a line of --help
  const char* hint;     ///< --help's last lines
  std::span<const Command> commands;
  std::string (*version)();
};

/// All of main(): starts MPI, runs the command that argv names, and turns an error into a message and an exit code. One
/// message, from rank 0, for an AgreedError; after an error of one rank alone all ranks end, since they may wait for
/// it.
int run_program(const Program& program, int argc, char** argv);

/// "0.1.0 (5d4e3f2-dirty)": the version, and the commit of the sources at the time of the build.
std::string version_and_commit();

/// Parses; a returned exit code ends the command (help was asked for). A command line or configuration file that any
/// rank refuses, or cannot read, is an AgreedError. Collective.
std::optional<int> parse(CLI::App& command, int argc, char** argv, const MpiSession& session);

}  // namespace barlow::cli
