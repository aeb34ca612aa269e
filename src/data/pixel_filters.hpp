// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "barlow/data/augmentation.hpp"

/// Steps on 8-bit RGB pixels in place, each as PIL and torchvision compute it. They work on planes (all red, all green,
/// all blue): so their loops run over neighbours and become vector instructions.
namespace barlow::data {

/// Three planes of width x height, one after the other, in memory of someone else.
struct Planes {
  std::uint8_t* pixels;
  int width, height;

  std::size_t size() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(height); }
  std::uint8_t* channel(std::size_t c) const { return pixels + c * size(); }
  std::span<std::uint8_t> all() const { return {pixels, 3 * size()}; }
};

/// From u8 [height,width,3].
void split(std::span<const std::uint8_t> rgb, const Planes& planes);
/// To u8 [height,width,3].
void merge(const Planes& planes, std::span<std::uint8_t> rgb);

/// Mirrors u8 [height,width,3].
void flip_rows(std::span<std::uint8_t> rgb, int width);
/// Towards black by 1 - factor, or beyond the image.
void adjust_brightness(const Planes& planes, float factor);
/// Towards the mean grey.
void adjust_contrast(const Planes& planes, float factor);
/// Towards each pixel's grey.
void adjust_saturation(const Planes& planes, float factor);
/// Rotates the hue by that many turns.
void adjust_hue(const Planes& planes, double turns);
void to_grey(const Planes& planes);
/// Three box blurs a direction with the variance of a Gaussian (Gwosdek et al. 2011).
void gaussian_blur(const Planes& planes, float sigma, AugmentationScratch& scratch);
void solarize(const Planes& planes);

}  // namespace barlow::data
