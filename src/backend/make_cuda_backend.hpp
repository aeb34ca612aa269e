// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "barlow/backend/make_backend.hpp"

/// The CUDA flavour as make_backend.cpp sees it: cuda/make_cuda_backend.cpp, or no_cuda.cpp in a build without it.
namespace barlow::cuda {

/// True if this build has the CUDA flavour and a GPU can be used.
bool is_available();
/// @throws ConfigError with the remedy if it cannot
std::unique_ptr<Backend> make_backend(const BackendOptions& options);
/// One line per library, empty without CUDA.
std::string library_versions();

}  // namespace barlow::cuda
