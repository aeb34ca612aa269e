// SPDX-License-Identifier: Apache-2.0
#include "make_cuda_backend.hpp"

namespace barlow::cuda {

bool is_available() { return false; }

std::unique_ptr<Backend> make_backend(const BackendOptions&) {
  throw ConfigError(
      "--device cuda: this program was built without CUDA; configure it with -DBARLOW_WITH_CUDA=ON, or use --device "
      "cpu");
}

std::string library_versions() { return ""; }

}  // namespace barlow::cuda
