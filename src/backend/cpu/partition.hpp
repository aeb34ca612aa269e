// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <omp.h>

#include <algorithm>
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

/// A long sum of several results among threads: each slice of its terms has sums of its own, to be added up afterwards.
/// Where there may be fewer slices than threads, several threads share a slice, and each does a group of the results.
class SlicedSum {
 public:
  SlicedSum(int num_threads, std::int64_t num_terms, std::int64_t num_results, std::int64_t most_slices)
      : num_threads_(num_threads),
        num_terms_(num_terms),
        num_results_(num_results),
        slices_(std::clamp<std::int64_t>(most_slices, 1, num_threads)),
        groups_(std::min(num_threads / slices_, num_results)) {}

  std::int64_t slices() const { return slices_; }
  std::int64_t tasks() const { return slices_ * groups_; }

  /// Calls f(task, slice, its terms, its results) for every task.
  template <class F>
  void run(F&& f) const {
    parallel_ranges(num_threads_, tasks(), [&](Range range, int) {
      for (std::int64_t task = range.first; task < range.last; ++task) {
        const std::int64_t slice = task / groups_;
        f(task, slice, share_of_thread(num_terms_, slice, slices_),
          share_of_thread(num_results_, task % groups_, groups_));
      }
    });
  }

 private:
  int num_threads_;
  std::int64_t num_terms_, num_results_, slices_, groups_;
};

}  // namespace barlow::cpu
