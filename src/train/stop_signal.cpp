// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/stop_signal.hpp"

#include <array>
#include <csignal>

namespace barlow::train {
namespace {

constexpr std::array kSignals = {SIGTERM, SIGINT, SIGUSR1};
volatile std::sig_atomic_t received_signal = 0;  // a handler can reach nothing but a global

void remember(int signal) {
  if (signal == SIGINT && received_signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  received_signal = signal;
}

}  // namespace

StopSignal::StopSignal() {
  received_signal = 0;
  for (const int signal : kSignals) std::signal(signal, remember);
}

StopSignal::~StopSignal() {
  for (const int signal : kSignals) std::signal(signal, SIG_DFL);
}

int StopSignal::received() { return received_signal; }

}  // namespace barlow::train
