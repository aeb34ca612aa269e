// SPDX-License-Identifier: Apache-2.0
#include "barlow/backend/make_backend.hpp"

#include <cstdlib>

#include "barlow/base/cores.hpp"
#include "cpu/cpu_backend.hpp"
#include "make_cuda_backend.hpp"
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

std::unique_ptr<Backend> make_backend(const BackendOptions& options) {
  const std::string& device = options.device;
  if (device != "cpu" && device != "auto" && device != "cuda")
    throw ConfigError("--device " + device + ": choose auto, cpu or cuda");
  if (device == "cuda" || (device == "auto" && cuda::is_available())) return cuda::make_backend(options);
  if (options.tf32) throw ConfigError("--precision tf32: a processor does not compute in it; use fp32");
  return std::make_unique<cpu::CpuBackend>(choose_num_threads(options.num_threads, options.local_size));
}

DType parse_precision(const std::string& precision, DType preferred) {
  if (precision == "auto") return preferred;
  if (precision == "fp32" || precision == "tf32") return DType::kF32;
  if (precision == "bf16") return DType::kBF16;
  if (precision == "fp16") return DType::kF16;
  throw ConfigError("--precision " + precision + ": choose auto, fp32, tf32, bf16 or fp16");
}

DType choose_dtype(const std::string& precision, const Backend& backend) {
  const DType dtype = parse_precision(precision, backend.preferred_dtype());
  if (!backend.supports(dtype)) {
    throw ConfigError("--precision " + precision + ": " + backend.description() +
                      " does not compute in it; use --precision fp32");
  }
  return dtype;
}

std::unique_ptr<Backend> make_measuring_backend(DType preferred) {
  return std::make_unique<MeasuringBackend>(preferred);
}

std::string backend_library_versions() { return cpu::onednn_version() + "\n" + cuda::library_versions(); }

}  // namespace barlow
