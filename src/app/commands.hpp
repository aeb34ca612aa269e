// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/mpi_session.hpp"

/// The subcommands of `barlow` (cli::Command::run).
namespace barlow::app {

int pretrain_command(int argc, char** argv, MpiSession& session);
int evaluate_command(int argc, char** argv, MpiSession& session);
int report_command(int argc, char** argv, MpiSession& session);
int status_command(int argc, char** argv, MpiSession& session);
int stop_command(int argc, char** argv, MpiSession& session);

}  // namespace barlow::app
