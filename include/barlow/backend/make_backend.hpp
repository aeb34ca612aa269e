// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "barlow/backend/backend.hpp"

namespace barlow {

struct BackendOptions {
  std::string device = "auto";  ///< "cpu", "cuda", or "auto": a GPU where this build and this machine have one
  int local_rank = 0;           ///< this rank's number on its host; chooses the GPU
  int local_size = 1;           ///< ranks on this host
  int num_threads = 0;  ///< compute threads of a CPU rank; 0: what OMP_NUM_THREADS says, else its share of the cores
  bool tf32 = false;    ///< f32 convolutions and products on a GPU may round their inputs to TF32
  bool deterministic = false;  ///< equal bits from equal runs, also where a GPU's fastest plan would not give them
};

/// @throws ConfigError when the device is not available, with the remedy.
std::unique_ptr<Backend> make_backend(const BackendOptions& options);

/// The type of activations for `--precision` auto, fp32, tf32 (which is f32 with rounded products), bf16 or fp16.
/// @throws ConfigError for another word.
DType parse_precision(const std::string& precision, DType preferred);

/// The same for this device. @throws ConfigError also if it does not compute in that type.
DType choose_dtype(const std::string& precision, const Backend& backend);

/// A backend that computes nothing and whose allocations are null: a step run on it, with an Arena that only measures,
/// tells how much memory the step needs.
std::unique_ptr<Backend> make_measuring_backend(DType preferred);

/// One line per library that the program runs on, `oneDNN 2.6.3`, for `--version`.
std::string backend_library_versions();

}  // namespace barlow
