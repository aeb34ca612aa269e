// SPDX-License-Identifier: Apache-2.0
#include "barlow/comm/agreement.hpp"

#include <algorithm>
#include <new>
#include <system_error>

namespace barlow {
namespace {

struct Failure {
  int exit_code = kExitFinished;
  std::string message;
};

Failure describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const AgreedError& e) {
    return {e.exit_code(), e.what()};
  } catch (const UserError& e) {
    return {kExitRefused, e.what()};
  } catch (const std::exception& e) {
    return {kExitFailed, message_of(e)};
  }
}

}  // namespace

std::string message_of(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "out of memory";
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  if (system != nullptr && system->code() == std::errc::resource_unavailable_try_again)
    return "cannot start a thread: the limit of processes (ulimit -u) or of memory is reached";
  return error.what();
}

void settle(const MpiSession& session, const std::exception_ptr& error) {
  if (session.max(error ? 1 : 0) == 0) return;
  const Failure mine = error ? describe(error) : Failure{};
  // The exit code travels as the text's first character.
  const auto all = session.gather(std::string(1, static_cast<char>('0' + mine.exit_code)) + mine.message);
  int failed = 0, first = -1;
  for (int rank = 0; rank < session.world_size(); ++rank) {
    if (all[static_cast<std::size_t>(rank)][0] == '0') continue;
    ++failed;
    if (first < 0) first = rank;
  }
  const auto names = session.gather(name_of_rank(session));
  const std::string& text = all[static_cast<std::size_t>(first)];
  std::string message = text.substr(1);
  if (failed < session.world_size()) message = names[static_cast<std::size_t>(first)] + " " + message;
  throw AgreedError(message, text[0] - '0');
}

void require_same(const MpiSession& session, const std::vector<Fact>& facts) {
  constexpr char kEnd = '\0';
  std::string mine;
  for (const Fact& fact : facts) mine += fact.value + kEnd;
  const std::string of_root = session.broadcast(mine);
  collectively(session, [&] {
    std::size_t begin = 0;
    for (const Fact& fact : facts) {
      const std::size_t end = std::min(of_root.find(kEnd, begin), of_root.size());
      const std::string expected = of_root.substr(begin, end - begin);
      if (fact.value != expected)
        throw ConfigError(fact.name + " is " + fact.value + ", but " + expected +
                          " on rank 0; give every rank the same");
      begin = std::min(end + 1, of_root.size());
    }
  });
}

}  // namespace barlow
