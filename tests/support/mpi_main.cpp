// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_RUNNER
#include <algorithm>
#include <iostream>
#include <sstream>

#include "ops/backend_under_test.hpp"
#include "support/mpi_require.hpp"

namespace {
const barlow::MpiSession* session_of_tests = nullptr;
}

const barlow::MpiSession& test_session() { return *session_of_tests; }

/// Why the tests cannot run here; empty if they can.
static std::string reason_to_skip() {
  if (barlow::testing::device_under_test() == "cpu") return "";
  try {
    barlow::testing::backend_under_test();
  } catch (const barlow::ConfigError& error) {
    return error.what();
  }
  return "";
}

/// Every rank runs the same tests; ranks above 0 speak only if they fail; the exit code is the worst of all, or 77,
/// with the reason, where the device that BARLOW_TEST_DEVICE asks for is missing.
int main(int argc, char** argv) {
  const barlow::MpiSession session(&argc, &argv);
  session_of_tests = &session;
  const std::string reason = reason_to_skip();
  if (session.max(reason.empty() ? 0 : 1) != 0) {
    if (session.is_root()) std::cout << "skipped: " << reason << "\n";
    return 77;
  }
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
