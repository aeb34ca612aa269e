// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/mpi_session.hpp"

/// The subcommands of `barlow`. Each takes the command line from its own name on, runs on every rank, and returns the
/// exit code; what goes wrong on every rank alike is thrown as AgreedError.
namespace barlow::app {

int pretrain_command(int argc, char** argv, MpiSession& session);
int evaluate_command(int argc, char** argv, MpiSession& session);
int report_command(int argc, char** argv, MpiSession& session);
int status_command(int argc, char** argv, MpiSession& session);
int stop_command(int argc, char** argv, MpiSession& session);

}  // namespace barlow::app
