// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/cores.hpp"
#include "support/catch.hpp"

using barlow::cores_of_rank;

TEST_CASE("a rank that is bound to cores of its own takes all of them", "[cores]") {
  CHECK(cores_of_rank(32, 64, 2) == 32);
  CHECK(cores_of_rank(8, 64, 1) == 8);
  CHECK(cores_of_rank(4, 64, 2) == 4);  // in a job of 8 cores
  CHECK(cores_of_rank(1, 2, 2) == 1);
}

TEST_CASE("ranks that are not bound, or to the same cores, share the host's", "[cores]") {
  CHECK(cores_of_rank(64, 64, 4) == 16);
  CHECK(cores_of_rank(32, 64, 4) == 16);  // two ranks in each of two sockets
  CHECK(cores_of_rank(2, 2, 4) == 1);
}

TEST_CASE("a rank of this host has a core, and no more than the host", "[cores]") {
  CHECK(cores_of_rank(1) >= 1);
  CHECK(cores_of_rank(2) <= cores_of_rank(1));
  CHECK(cores_of_rank(1 << 20) == 1);
}
