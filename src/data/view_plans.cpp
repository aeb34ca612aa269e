// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/view_plans.hpp"

#include <algorithm>

#include "barlow/pixels/resample.hpp"

namespace barlow::data {
namespace {

using Box = ViewRecipe::Box;

/// The smallest box around both.
Box around(const Box& a, const Box& b) {
  const int left = std::min(a.left, b.left), top = std::min(a.top, b.top);
  return {left, top, std::max(a.left + a.width, b.left + b.width) - left,
          std::max(a.top + a.height, b.top + b.height) - top};
}

pixels::ColorStep color_step(const ViewRecipe& recipe, int number) {
  using Kind = pixels::ColorStep::Kind;
  switch (number) {
    case 0:
      return {Kind::kBrightness, 0, recipe.brightness};
    case 1:
      return {Kind::kContrast, 0, recipe.contrast};
    case 2:
      return {Kind::kSaturation, 0, recipe.saturation};
    default:
      return {Kind::kHue, pixels::hue_shift(recipe.hue), 0};
  }
}

pixels::ViewPlan plan_view(const ViewRecipe& recipe, const Box& box, const Box& region, int view_size) {
  pixels::ViewPlan plan{};
  plan.row_bytes = 3 * region.width;
  plan.first_byte = std::int64_t{plan.row_bytes} * (box.top - region.top) + std::int64_t{3} * (box.left - region.left);
  plan.box_width = box.width;
  plan.box_height = box.height;
  plan.full_width = plan.full_height = view_size;
  if (!recipe.crop) {
    const auto center = pixels::CenterCrop::make(box.width, box.height, view_size, view_size);
    plan.full_width = center.width;
    plan.full_height = center.height;
    plan.left = center.left;
    plan.top = center.top;
  }
  if (recipe.jitter) {
    for (const int number : recipe.jitter_order) {
      const auto step = color_step(recipe, number);
      if (step.kind == pixels::ColorStep::Kind::kHue && recipe.hue == 0) continue;  // as data::apply
      plan.steps[static_cast<std::size_t>(plan.num_steps++)] = step;
    }
  }
  if (recipe.blur_sigma > 0) plan.blur = pixels::make_blur_box(recipe.blur_sigma);
  plan.flip = recipe.flip;
  plan.grey = recipe.grey;
  plan.solarize = recipe.solarize;
  return plan;
}

}  // namespace

ViewPlans plan_views(const std::array<ViewRecipe, 2>& recipes, int image_width, int image_height, int view_size) {
  const auto box_of = [&](const ViewRecipe& recipe) {
    return recipe.crop ? recipe.box : Box{0, 0, image_width, image_height};
  };
  const Box boxes[] = {box_of(recipes[0]), box_of(recipes[1])};
  ViewPlans plans{around(boxes[0], boxes[1]), {}};
  for (std::size_t view = 0; view < 2; ++view)
    plans.views[view] = plan_view(recipes[view], boxes[view], plans.region, view_size);
  return plans;
}

pixels::ViewPlan plan_of_view(int view_size) {
  ViewRecipe as_it_is{};
  as_it_is.crop = true;
  as_it_is.box = {0, 0, view_size, view_size};
  return plan_view(as_it_is, as_it_is.box, as_it_is.box, view_size);
}

}  // namespace barlow::data
