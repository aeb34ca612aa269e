// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "barlow/data/augmentation.hpp"

/// Steps on 8-bit RGB pixels in place, each as PIL and torchvision compute it.
namespace barlow::data {

void flip_rows(std::span<std::uint8_t> pixels, int width);
/// Towards black by 1 - factor, or beyond the image.
void adjust_brightness(std::span<std::uint8_t> pixels, float factor);
/// Towards the mean grey.
void adjust_contrast(std::span<std::uint8_t> pixels, float factor);
/// Towards each pixel's grey.
void adjust_saturation(std::span<std::uint8_t> pixels, float factor);
/// Rotates the hue by that many turns.
void adjust_hue(std::span<std::uint8_t> pixels, double turns);
void to_grey(std::span<std::uint8_t> pixels);
/// Three box blurs a direction with the variance of a Gaussian (Gwosdek et al. 2011).
void gaussian_blur(std::span<std::uint8_t> pixels, int width, int height, float sigma, AugmentationScratch& scratch);
void solarize(std::span<std::uint8_t> pixels);

}  // namespace barlow::data
