// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "barlow/data/augmentation.hpp"
#include "barlow/pixels/view_plan.hpp"

namespace barlow::data {

/// What a device needs to make an image's two views: a part of the image, and how.
struct ViewPlans {
  ViewRecipe::Box region;                 ///< of the image: no other pixels contribute
  std::array<pixels::ViewPlan, 2> views;  ///< of u8 [region.height,region.width,3], which begins at byte 0
};

/// The plans from which Backend::make_views makes the same views as apply() does from the recipes.
ViewPlans plan_views(const std::array<ViewRecipe, 2>& recipes, int image_width, int image_height, int view_size);

/// The plan of pixels that are a view already, u8 [S,S,3]: it leaves them as they are.
pixels::ViewPlan plan_of_view(int view_size);

}  // namespace barlow::data
