// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "barlow/train/profiler.hpp"

namespace barlow::train {

/// A trace in Chrome's event format: the rank is the process; its phases are one thread, gradients on their way
/// another.
std::string trace_of(const StepTimes& times, int rank, const std::string& host);

/// What one rank tells the others about its steps, JSON.
std::string summary_of_rank(const StepTimes& times, int rank, const std::string& host);

struct ProfileSummary {
  std::string json;                ///< profile.json
  std::vector<std::string> table;  ///< the same for people, line by line
};

/// @param ranks   summary_of_rank() of every rank, in order
/// @param device  rank 0's, for people
ProfileSummary summarize(const std::vector<std::string>& ranks, std::int64_t batch_size, const std::string& device);

}  // namespace barlow::train
