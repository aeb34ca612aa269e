// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/mpi_session.hpp"

namespace barlow::data_tools {

/// The subcommands of `barlow-data` (cli::Command::run). Collective.
int pack_command(int argc, char** argv, MpiSession& session);
int synthesize_command(int argc, char** argv, MpiSession& session);
int verify_command(int argc, char** argv, MpiSession& session);
int info_command(int argc, char** argv, MpiSession& session);
int extract_command(int argc, char** argv, MpiSession& session);

}  // namespace barlow::data_tools
