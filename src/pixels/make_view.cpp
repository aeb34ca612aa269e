// SPDX-License-Identifier: Apache-2.0
#include "barlow/pixels/make_view.hpp"

#include <memory>
#include <vector>

#include "barlow/pixels/view_blocks.hpp"

namespace barlow::pixels {
namespace {

/// All items of a phase.
template <class F>
void each(int count, F&& f) {
  for (int item = 0; item < count; ++item) f(item);
}

std::uint64_t make_tile(const ViewTile& tile, ViewTile::Memory& memory) {
  std::uint64_t sum = 0;
  each(ViewTile::kOutputs, [&](int i) { tile.find_taps(i, memory); });
  each(ViewTile::kOutputs * ViewTile::kMaxTaps, [&](int i) { tile.find_weight(i, memory); });
  each(tile.num_input_rows(memory) * ViewTile::kColumns, [&](int i) { tile.resize_along_x(i, memory); });
  each(ViewTile::kColumns * ViewTile::kRows, [&](int i) { sum += tile.make_pixel(i, memory); });
  return sum;
}

void blur_strip(const BlurStrip& strip, const BlurBox& box, std::uint8_t* memory) {
  std::uint8_t *from = memory, *to = memory + strip.num_items();
  each(strip.num_items(), [&](int i) { strip.load(i, from); });
  for (int pass = 0; pass < kBlurPasses; ++pass) {
    each(strip.num_items(), [&](int i) { strip.blur(i, box, from, to); });
    std::swap(from, to);
  }
  each(strip.num_items(), [&](int i) { strip.store(i, from); });
}

}  // namespace

void make_view(const ViewPlan& plan, std::span<const std::uint8_t> pixels, int size, std::uint8_t* view) {
  const auto memory = std::make_unique<ViewTile::Memory>();
  std::uint64_t sum = 0;
  each(ViewTile::num_tiles(size),
       [&](int tile) { sum += make_tile(ViewTile::make(plan, pixels.data(), view, size, tile), *memory); });
  if (plan.has_contrast()) each(size * size, [&](int i) { finish_colors(plan, sum, size, i, view); });
  if (!plan.blurs()) return;
  for (const bool columns : {false, true}) {
    std::vector<std::uint8_t> strips(static_cast<std::size_t>(BlurStrip::memory_bytes(size, columns)));
    each(BlurStrip::num_strips(size, columns),
         [&](int strip) { blur_strip(BlurStrip::make(plan, view, size, columns, strip), plan.blur, strips.data()); });
  }
}

}  // namespace barlow::pixels
