// SPDX-License-Identifier: Apache-2.0
#include "barlow/cli/program.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "barlow/base/log.hpp"

namespace barlow::cli {
namespace {

std::string usage(const Program& program) {
  std::string text = fmt::format("Usage: {} COMMAND [flags]\n\n{}\n\nCommands:\n", program.name, program.summary);
  for (const Command& command : program.commands) text += fmt::format("  {:<12}{}\n", command.name, command.summary);
  return text + fmt::format("\n`{} COMMAND --help` lists every flag of a command. {}\n", program.name, program.hint);
}

int dispatch(const Program& program, int argc, char** argv, MpiSession& session) {
  const std::string name = argc > 1 ? argv[1] : "";
  require_same(session, {{"the command", "\"" + name + "\""}});
  for (const Command& command : program.commands) {
    if (name == command.name) return command.run(argc - 1, argv + 1, session);
  }
  if (name == "--version" || name == "--help" || name == "-h" || name == "help") {
    if (session.is_root()) fmt::print("{}", name == "--version" ? program.version() : usage(program));
    return kExitFinished;
  }
  throw AgreedError((name.empty() ? "no command given" : "unknown command \"" + name + "\"") + ("\n" + usage(program)),
                    kExitRefused);
}

int fail_alone(const MpiSession& session, const std::string& what, int exit_code) {
  if (session.world_size() == 1) {
    log::error(what);
    return exit_code;
  }
  log::error(name_of_rank(session) + " " + what);
  session.abort(exit_code);
}

/// Results that standard output takes only when it is flushed may be lost at the very end.
int flush_results(int exit_code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  log::error(std::string("cannot write to standard output: ") + std::strerror(errno != 0 ? errno : EIO));
  return exit_code == kExitFinished ? kExitFailed : exit_code;
}

/// A set has all its shards open, and the usual limit is 1024. Not without bound: where the system has none, a program
/// started from here that closes every descriptor it could have would take minutes.
void allow_many_open_files() {
  constexpr rlim_t kEnough = 1 << 17;  // a set has 100,000 shards at most
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kEnough));
  setrlimit(RLIMIT_NOFILE, &limit);  // where it fails, the limit stays as it was
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  allow_many_open_files();
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is a write that fails, as on a full disk
  try {
    MpiSession session(&argc, &argv);
    log::configure(log::Level::kNormal, session.is_root());
    try {
      return flush_results(dispatch(program, argc, argv, session));
    } catch (const AgreedError& error) {
      log::status_line("");
      if (session.is_root()) log::error(error.what());
      return error.exit_code();
    } catch (const LoneError& error) {
      return fail_alone(session, error.what(), error.exit_code());
    } catch (const UserError& error) {
      return fail_alone(session, error.what(), kExitRefused);
    } catch (const std::exception& error) {
      return fail_alone(session, message_of(error), kExitFailed);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", message_of(error).c_str());
    return kExitFailed;
  }
}

std::optional<int> parse(CLI::App& command, int argc, char** argv, const MpiSession& session) {
  const auto refusal = [&](const std::exception& error) {
    return ConfigError(std::string(error.what()) + "\nRun `" + command.get_name() + " --help` for all flags.");
  };
  const bool is_help = collectively(session, [&] {
    try {
      command.parse(argc, argv);
      return false;
    } catch (const UserError& error) {  // flags.hpp's
      throw refusal(error);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() != 0) throw refusal(error);
      return true;
    }
  });
  if (session.max(is_help ? 1 : 0) == 0) return std::nullopt;
  if (session.is_root()) fmt::print("{}", command.help());
  return kExitFinished;
}

}  // namespace barlow::cli
