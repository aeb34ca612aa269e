// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <omp.h>

#include <cstdint>

namespace barlow::cpu {

/// A thread's contiguous share of [0, count).
struct Range {
  std::int64_t first, last;
};

inline Range share_of_thread(std::int64_t count, std::int64_t thread, std::int64_t num_threads) {
  return {count * thread / num_threads, count * (thread + 1) / num_threads};
}

/// Calls f(range, thread) on `num_threads` threads with their shares of [0, count).
template <class F>
void parallel_ranges(int num_threads, std::int64_t count, F&& f) {
#pragma omp parallel num_threads(num_threads)
  {
    const int thread = omp_get_thread_num();
    const Range range = share_of_thread(count, thread, omp_get_num_threads());
    f(range, thread);
  }
}

}  // namespace barlow::cpu
