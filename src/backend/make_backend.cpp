// SPDX-License-Identifier: Apache-2.0
#include "barlow/backend/make_backend.hpp"

#include <cstdlib>
#include <oneapi/dnnl/dnnl.hpp>

#include "barlow/base/cores.hpp"
#include "cpu/cpu_backend.hpp"
#include "measuring_backend.hpp"

namespace barlow {
namespace {

int choose_num_threads(int num_threads, int local_size) {
  if (num_threads > 0) return num_threads;
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    if (const int value = std::atoi(text); value > 0) return value;
  }
  return cores_of_rank(local_size);
}

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& device, int /*local_rank*/, int local_size, int num_threads) {
  if (device == "cuda") {
    throw ConfigError("--device cuda: this program was built without CUDA; use --device cpu");
  }
  if (device != "cpu" && device != "auto") throw ConfigError("--device " + device + ": choose auto, cpu or cuda");
  return std::make_unique<cpu::CpuBackend>(choose_num_threads(num_threads, local_size));
}

std::unique_ptr<Backend> make_measuring_backend(DType preferred) {
  return std::make_unique<MeasuringBackend>(preferred);
}

std::string backend_library_versions() {
  const dnnl_version_t& version = *dnnl_version();
  return "oneDNN " + std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch) + "\n";
}

}  // namespace barlow
