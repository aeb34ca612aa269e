// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_RUNNER
#include <algorithm>
#include <iostream>
#include <sstream>

#include "support/mpi_require.hpp"

namespace {
const barlow::MpiSession* session_of_tests = nullptr;
}

const barlow::MpiSession& test_session() { return *session_of_tests; }

/// Every rank runs the same tests; ranks above 0 speak only if they fail; the exit code is the worst of all.
int main(int argc, char** argv) {
  const barlow::MpiSession session(&argc, &argv);
  session_of_tests = &session;
  std::ostringstream captured;
  std::streambuf* const console = std::cout.rdbuf();
  if (!session.is_root()) std::cout.rdbuf(captured.rdbuf());
  const int failures = Catch::Session().run(argc, argv);
  std::cout.rdbuf(console);
  if (failures != 0 && !session.is_root()) {
    std::cout << "[rank " << session.rank() << " of " << session.world_size() << "]\n" << captured.str() << std::flush;
  }
  return session.max(failures) == 0 ? 0 : 1;
}
