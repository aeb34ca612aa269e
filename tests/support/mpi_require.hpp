// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/mpi_session.hpp"
#include "support/catch.hpp"

/// The session that mpi_main.cpp started.
const barlow::MpiSession& test_session();

/// Fails on all ranks if `condition` is false on any, so that none waits in a collective for one that has left.
#define REQUIRE_ON_ALL_RANKS(condition)                   \
  do {                                                    \
    const bool holds_here = static_cast<bool>(condition); \
    CHECK(holds_here);                                    \
    REQUIRE(test_session().max(holds_here ? 0 : 1) == 0); \
  } while (false)
