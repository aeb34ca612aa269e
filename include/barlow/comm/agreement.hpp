// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "barlow/base/error.hpp"
#include "barlow/comm/fact.hpp"
#include "barlow/comm/mpi_session.hpp"

namespace barlow {

/// An error with the exit code that the program ends with.
class ExitError : public Error {
 public:
  ExitError(const std::string& what, int exit_code) : Error(what), exit_code_(exit_code) {}
  int exit_code() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

/// An error that every rank throws alike, so that all leave and one of them prints it.
class AgreedError : public ExitError {
  using ExitError::ExitError;
};

/// An error of one rank alone, which ends the others too.
class LoneError : public ExitError {
  using ExitError::ExitError;
};

/// Exit codes of the programs.
inline constexpr int kExitFinished = 0, kExitFailed = 1, kExitRefused = 2, kExitStopped = 75;

/// What an exception tells the user: those of the standard library do not say what there was too little of.
std::string message_of(const std::exception& error);

/// If any rank brings an error, all throw AgreedError with the message of the lowest such rank (its rank and host named
/// when not all failed). Collective.
void settle(const MpiSession& session, const std::exception_ptr& error);

/// Runs `f` on this rank and settles its errors: either f succeeded everywhere, or every rank throws the same. f itself
/// does not communicate. Collective.
template <class F>
auto collectively(const MpiSession& session, F&& f) {
  std::exception_ptr error;
  if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
    try {
      f();
    } catch (...) {
      error = std::current_exception();
    }
    settle(session, error);
  } else {
    std::optional<std::invoke_result_t<F>> result;
    try {
      result.emplace(f());
    } catch (...) {
      error = std::current_exception();
    }
    settle(session, error);
    return std::move(*result);
  }
}

/// Refuses ranks that were told or see other things than rank 0: they would compute something else, or wait for each
/// other for ever. Every rank brings its facts in the same order. Collective.
/// @throws AgreedError with the first fact that differs, both values and the rank.
void require_same(const MpiSession& session, const std::vector<Fact>& facts);

}  // namespace barlow
