// SPDX-License-Identifier: Apache-2.0
#include "barlow/report/report.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "barlow/cli/program.hpp"
#include "barlow/train/run_folder.hpp"
#include "commands.hpp"

namespace barlow::app {

int report_command(int argc, char** argv, MpiSession& session) {
  CLI::App command("Draws a run folder, finished or not, as one HTML file that opens anywhere.", "barlow report");
  std::string run, output;
  command.add_option("RUN", run, "run folder of barlow pretrain")->required();
  command.add_option("--output", output, "file to write")->default_str("RUN/report.html");
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return *exit_code;
  if (output.empty()) output = (std::filesystem::path(run) / train::kReportFile).string();
  collectively(session, [&] {
    if (session.is_root()) report::write_report(run, output);
  });
  if (session.is_root()) fmt::print("{}\n", output);
  return kExitFinished;
}

}  // namespace barlow::app
