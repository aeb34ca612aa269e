// SPDX-License-Identifier: Apache-2.0
#include "device.hpp"

#include <fmt/format.h>

#include "barlow/base/error.hpp"
#include "check.hpp"

namespace barlow::cuda {
namespace {

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

std::string explain(const Devices& devices) {
  switch (devices.obstacle) {
    case Obstacle::kNoDriver:
      return "no NVIDIA driver is loaded here; install one, or use --device cpu";
    case Obstacle::kOldDriver:
      return fmt::format(
          "the NVIDIA driver here runs CUDA up to {}, this program needs {}; install a newer driver, or "
          "use --device cpu",
          devices.driver, version(CUDART_VERSION));
    case Obstacle::kNoDevice:
    case Obstacle::kNone:
      break;
  }
  if (!devices.error.empty())
    return fmt::format("no GPU can be used here, CUDA says \"{}\" (does nvidia-smi work?); use --device cpu",
                       devices.error);
  return "no GPU is visible here (is CUDA_VISIBLE_DEVICES empty, or the job without --gpus?); use --device cpu";
}

}  // namespace

Devices find_devices() {
  Devices devices;
  int driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0) devices.driver = version(driver);
  const cudaError_t status = cudaGetDeviceCount(&devices.count);
  cudaGetLastError();
  if (status == cudaSuccess && devices.count > 0) {
    devices.obstacle = Obstacle::kNone;
  } else {
    devices.count = 0;
    devices.obstacle = driver == 0                             ? Obstacle::kNoDriver
                       : status == cudaErrorInsufficientDriver ? Obstacle::kOldDriver
                                                               : Obstacle::kNoDevice;
    // Such as a fabric manager of several GPUs that has not been started.
    if (status != cudaSuccess && status != cudaErrorNoDevice) devices.error = cudaGetErrorString(status);
  }
  return devices;
}

int choose_device(const Devices& devices, int local_rank) {
  if (devices.count == 0) throw ConfigError("--device cuda: " + explain(devices));
  return local_rank % devices.count;
}

std::string describe_device(int device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device));
  return fmt::format("{}, sm_{}{}", properties.name, properties.major, properties.minor);
}

std::string cudnn_version() {
  const auto number = cudnnGetVersion();
  return fmt::format("cuDNN {}.{}.{}", number / 10000, number % 10000 / 100, number % 100);
}

}  // namespace barlow::cuda
