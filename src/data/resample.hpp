// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "barlow/data/augmentation.hpp"
#include "barlow/pixels/resample.hpp"

namespace barlow::data {

using pixels::Filter;

/// A box of an image made width x height, and the part of the outcome that is wanted.
struct Resize {
  ViewRecipe::Box box;  ///< pixels outside it do not contribute
  int width, height;
  ViewRecipe::Box part;  ///< of width x height
  Filter filter;
};

/// Resizes with antialias, by PIL's two passes in fixed point (22 bits) with an 8-bit image between them. Time and
/// memory are the part's, not the whole outcome's. out is u8 [part.height,part.width,3].
void resize(const Image& image, const Resize& what, AugmentationScratch& scratch, std::span<std::uint8_t> out);

}  // namespace barlow::data
