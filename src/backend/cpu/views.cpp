// SPDX-License-Identifier: Apache-2.0
#include "barlow/pixels/make_view.hpp"
#include "cpu_backend.hpp"
#include "element.hpp"
#include "partition.hpp"

namespace barlow::cpu {

void CpuBackend::do_make_views(std::span<const pixels::ViewPlan> plans, In images, Out views) {
  const auto size = static_cast<int>(views.shape[2]);
  const std::int64_t view_bytes = std::int64_t{3} * size * size;
  const std::span<const std::uint8_t> bytes(images.as<std::uint8_t>(), images.size_bytes());
  parallel_ranges(num_threads_, static_cast<std::int64_t>(plans.size()), [&](Range range, int) {
    for (std::int64_t i = range.first; i < range.last; ++i)
      pixels::make_view(plans[static_cast<std::size_t>(i)], bytes, size, data_of<std::uint8_t>(views) + i * view_bytes);
  });
}

}  // namespace barlow::cpu
