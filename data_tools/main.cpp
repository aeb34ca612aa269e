// SPDX-License-Identifier: Apache-2.0
#include "barlow/cli/program.hpp"
#include "commands.hpp"

namespace {

using namespace barlow;

constexpr cli::Command kCommands[] = {
    {"pack", "pack images into a data set: folders, ImageNet's archives, IDX, CIFAR", data_tools::pack_command},
    {"verify", "check every byte of a data set's images and decode them", data_tools::verify_command},
    {"info", "say what is in a data set", data_tools::info_command},
    {"extract", "write one stored image to a file, as it is", data_tools::extract_command},
    {"synthesize", "make a data set of photo-like images, for tests and benches", data_tools::synthesize_command},
};

}  // namespace

int main(int argc, char** argv) {
  return cli::run_program({.name = "barlow-data",
                           .summary = "Packs images into HDF5 for `barlow`, and looks after them.",
                           .hint = "Under mpirun the ranks share the work.",
                           .commands = kCommands,
                           .version = [] { return "barlow-data " + cli::version_and_commit() + "\n"; }},
                          argc, argv);
}
