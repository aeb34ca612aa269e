// SPDX-License-Identifier: Apache-2.0
// Applies augmentation steps to raw pixels, for comparison with other libraries.
//   apply_recipe WIDTH HEIGHT VIEW_SIZE STEP=VALUE... < u8 [H,W,3] > u8 [S,S,3]
// Steps, in the order given: crop=LEFT,TOP,WIDTH,HEIGHT center= evaluate=SHORTER flip= brightness=F contrast=F
// saturation=F hue=TURNS grey= blur=SIGMA solarize= . An image of the view's size needs no crop.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "barlow/data/augmentation.hpp"
#include "pixel_filters.hpp"

namespace {

using namespace barlow::data;

struct View {
  int size;
  std::vector<std::uint8_t> pixels;
  AugmentationScratch scratch;
};

/// True if the step is one that makes a view of an image.
bool make_view(const std::string& step, const std::string& value, const Image& image, View& view) {
  ViewRecipe recipe{};
  if (step == "crop") {
    recipe.crop = true;
    std::sscanf(value.c_str(), "%d,%d,%d,%d", &recipe.box.left, &recipe.box.top, &recipe.box.width, &recipe.box.height);
    apply(recipe, image, view.size, view.scratch, view.pixels);
  } else if (step == "center") {
    apply(recipe, image, view.size, view.scratch, view.pixels);
  } else if (step == "evaluate") {
    resize_center_crop(image, std::atoi(value.c_str()), view.size, view.scratch, view.pixels);
  } else if (step == "flip") {
    flip_rows(view.pixels, view.size);
  } else {
    return false;
  }
  return true;
}

void change_colours(const std::string& step, double number, const Planes& planes, AugmentationScratch& scratch) {
  const auto factor = static_cast<float>(number);
  if (step == "brightness") {
    adjust_brightness(planes, factor);
  } else if (step == "contrast") {
    adjust_contrast(planes, factor);
  } else if (step == "saturation") {
    adjust_saturation(planes, factor);
  } else if (step == "hue") {
    adjust_hue(planes, number);
  } else if (step == "grey") {
    to_grey(planes);
  } else if (step == "blur") {
    gaussian_blur(planes, factor, scratch);
  } else if (step == "solarize") {
    solarize(planes);
  } else {
    std::fprintf(stderr, "unknown step %s\n", step.c_str());
    std::exit(2);
  }
}

void apply_step(const std::string& step, const std::string& value, const Image& image, View& view) {
  if (make_view(step, value, image, view)) return;
  std::vector<std::uint8_t> memory(view.pixels.size());
  const Planes planes{memory.data(), view.size, view.size};
  split(view.pixels, planes);
  change_colours(step, std::strtod(value.c_str(), nullptr), planes, view.scratch);
  merge(planes, view.pixels);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  Image image;
  image.resize(std::atoi(argv[1]), std::atoi(argv[2]));
  View view{std::atoi(argv[3]), {}, {}};
  view.pixels.resize(static_cast<std::size_t>(view.size) * static_cast<std::size_t>(view.size) * 3);
  std::cin.read(reinterpret_cast<char*>(image.pixels.data()), static_cast<std::streamsize>(image.pixels.size()));
  if (!std::cin) return 2;
  if (image.pixels.size() == view.pixels.size()) view.pixels = image.pixels;
  for (int i = 4; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    apply_step(argument.substr(0, equals), argument.substr(equals + 1), image, view);
  }
  std::fwrite(view.pixels.data(), 1, view.pixels.size(), stdout);
  return 0;
}
