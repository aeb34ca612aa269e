// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

namespace barlow::train {

/// Mean and standard deviation of ImageNet's channels, of pixels in 0..1: every network here sees images normalised by
/// them.
inline constexpr std::array<float, 3> kImageMean = {0.485F, 0.456F, 0.406F};
inline constexpr std::array<float, 3> kImageStd = {0.229F, 0.224F, 0.225F};

}  // namespace barlow::train
