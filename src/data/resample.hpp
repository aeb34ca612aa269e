// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "barlow/data/augmentation.hpp"
#include "barlow/pixels/resample.hpp"

namespace barlow::data {

using pixels::Filter;

/// Resizes a box of an image to width x height with antialias, by PIL's two passes in fixed point (22 bits) with an
/// 8-bit image between them. Pixels outside the box do not contribute. out is u8 [height,width,3].
void resize(const Image& image, const ViewRecipe::Box& box, int width, int height, Filter filter,
            AugmentationScratch& scratch, std::span<std::uint8_t> out);

}  // namespace barlow::data
