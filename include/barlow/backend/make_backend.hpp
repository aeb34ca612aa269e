// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "barlow/backend/backend.hpp"

namespace barlow {

/// Makes the backend for `--device`: "cpu", "cuda", or "auto" (a GPU where this build and this machine have one).
/// @param local_rank  this rank's number on its host; chooses the GPU
/// @param num_threads  compute threads of a CPU rank; 0: what OMP_NUM_THREADS says, else this host's cores shared by
///                     `local_size` ranks
/// @throws ConfigError when the device is not to be had, with the remedy.
std::unique_ptr<Backend> make_backend(const std::string& device, int local_rank, int local_size, int num_threads);

/// A backend that computes nothing and whose allocations are null: a step run on it, with an Arena that only measures,
/// tells how much memory the step needs.
std::unique_ptr<Backend> make_measuring_backend(DType preferred);

/// One line per library that the program runs on, `oneDNN 2.6.3`, for `--version`.
std::string backend_library_versions();

}  // namespace barlow
