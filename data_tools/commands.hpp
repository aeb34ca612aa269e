// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/mpi_session.hpp"

namespace barlow::data_tools {

/// The commands of `barlow-data`; argv[0] is the command's name. They return the exit code. Collective; errors that all
/// ranks see are AgreedError.
int pack_command(int argc, char** argv, const MpiSession& session);
int synthesize_command(int argc, char** argv, const MpiSession& session);
int verify_command(int argc, char** argv, const MpiSession& session);
int info_command(int argc, char** argv, const MpiSession& session);
int extract_command(int argc, char** argv, const MpiSession& session);

}  // namespace barlow::data_tools
