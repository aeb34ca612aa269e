// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/data/image.hpp"

namespace barlow::data_tools {

/// Scales to a shorter side of `shorter` pixels, by a bicubic filter (a = -0.5) widened by the factor so that nothing
/// aliases. Only ever smaller: an image that is small enough comes back as it is.
data::Image shrink_shorter_side(const data::Image& image, int shorter);

}  // namespace barlow::data_tools
