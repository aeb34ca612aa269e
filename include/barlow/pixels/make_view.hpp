// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "barlow/pixels/view_plan.hpp"

namespace barlow::pixels {

/// Makes a view on the host, as kernels do: the same blocks, phases and arithmetic. Made to be right, not fast; whole
/// batches are data::apply's on a processor.
/// @param plan  possible on these pixels. @param view  u8 [size,size,3]
void make_view(const ViewPlan& plan, std::span<const std::uint8_t> pixels, int size, std::uint8_t* view);

}  // namespace barlow::pixels
