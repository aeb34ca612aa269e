// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace barlow::cuda {

/// What stands in the way of a GPU; kNone: there is at least one.
enum class Obstacle { kNone, kNoDriver, kOldDriver, kNoDevice };

/// The devices that this process sees.
struct Devices {
  int count = 0;
  Obstacle obstacle = Obstacle::kNoDevice;
  std::string driver;   ///< `13.0`, or empty
  std::string error{};  ///< why the devices that are there cannot be used, in CUDA's words; or empty
};
Devices find_devices();

/// The device of a rank, by its number on its host: they take turns, also where a launcher shows each rank one device
/// of its own. @throws ConfigError with the remedy if there is none
int choose_device(const Devices& devices, int local_rank);

/// `NVIDIA H200, sm_90`
std::string describe_device(int device);

/// `cuDNN 9.10.2`: the library that is loaded.
std::string cudnn_version();

}  // namespace barlow::cuda
