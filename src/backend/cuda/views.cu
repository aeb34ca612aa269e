// SPDX-License-Identifier: Apache-2.0
// Views from decoded images. A kernel is the phases of pixels/view_blocks.hpp, shared among a block's threads; compiled
// without contraction of a*b + c, so that every value is the processor's.
#include "barlow/pixels/view_blocks.hpp"
#include "cuda_backend.hpp"
#include "element.cuh"
#include "launch.cuh"

namespace barlow::cuda {
namespace {

using pixels::BlurStrip;
using pixels::ViewPlan;
using pixels::ViewTile;
using Byte = std::uint8_t;
using Sum = unsigned long long;  // what atomicAdd() takes

/// Where the views lie, and what they are made from.
struct Batch {
  const ViewPlan* plans;
  const Byte* images;
  Byte* views;
  int size;
  Sum* luma;  ///< of each view, the sum over its pixels

  __device__ Byte* view(unsigned number) const { return views + static_cast<std::int64_t>(number) * size * size * 3; }
};

/// All items of a phase, then every thread waits for the others.
template <class F>
__device__ void each(int count, F&& f) {
  for (int item = static_cast<int>(threadIdx.x); item < count; item += static_cast<int>(blockDim.x)) f(item);
  __syncthreads();
}

/// Integers: the sum is the same in any order.
__device__ void add_over_block(Sum value, Sum* total) {
  for (int lanes = 16; lanes > 0; lanes /= 2)
    value += __shfl_down_sync(0xFFFFFFFFU, value, static_cast<unsigned>(lanes));
  if (threadIdx.x % 32 == 0 && value != 0) atomicAdd(total, value);
}

/// Blocks [tiles of a view, views].
__global__ void __launch_bounds__(kBlock) make_tiles(Batch batch) {
  __shared__ ViewTile::Memory memory;
  const ViewPlan plan = batch.plans[blockIdx.y];
  const auto tile =
      ViewTile::make(plan, batch.images, batch.view(blockIdx.y), batch.size, static_cast<int>(blockIdx.x));
  each(ViewTile::kOutputs, [&](int i) { tile.find_taps(i, memory); });
  each(ViewTile::kOutputs * ViewTile::kMaxTaps, [&](int i) { tile.find_weight(i, memory); });
  each(tile.num_input_rows(memory) * ViewTile::kColumns, [&](int i) { tile.resize_along_x(i, memory); });
  Sum sum = 0;
  each(ViewTile::kColumns * ViewTile::kRows, [&](int i) { sum += tile.make_pixel(i, memory); });
  add_over_block(sum, batch.luma + blockIdx.y);
}

/// Blocks [as many as take all pixels of a view, views].
__global__ void __launch_bounds__(kBlock) finish_views(Batch batch) {
  const ViewPlan plan = batch.plans[blockIdx.y];
  const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (!plan.has_contrast() || item >= batch.size * batch.size) return;
  pixels::finish_colors(plan, batch.luma[blockIdx.y], batch.size, item, batch.view(blockIdx.y));
}

/// Blocks [strips of a view, views]; dynamic shared memory of BlurStrip::memory_bytes().
__global__ void __launch_bounds__(kBlock) blur_strips(Batch batch, bool columns) {
  extern __shared__ Byte shared[];
  const ViewPlan plan = batch.plans[blockIdx.y];
  if (!plan.blurs()) return;
  const auto strip = BlurStrip::make(plan, batch.view(blockIdx.y), batch.size, columns, static_cast<int>(blockIdx.x));
  Byte *from = shared, *to = shared + strip.num_items();
  each(strip.num_items(), [&](int i) { strip.load(i, from); });
  for (int pass = 0; pass < pixels::kBlurPasses; ++pass) {
    each(strip.num_items(), [&](int i) { strip.blur(i, plan.blur, from, to); });
    Byte* const next = from;
    from = to;
    to = next;
  }
  each(strip.num_items(), [&](int i) { strip.store(i, from); });
}

}  // namespace

void CudaBackend::do_make_views(std::span<const pixels::ViewPlan> plans, In images, Out views) {
  constexpr std::size_t kMostBlocks = 65535;  // of a grid's second extent
  if (plans.empty()) return;
  if (plans.size() > kMostBlocks) throw ShapeError("make_views: too many views at once");
  // The scratch holds the sums, then the plans.
  const std::size_t sums_bytes = plans.size() * sizeof(Sum);
  auto* const sums = static_cast<Sum*>(plans_.data());
  auto* const device_plans = reinterpret_cast<ViewPlan*>(sums + plans.size());
  const auto size = static_cast<int>(views.shape[2]);
  const Batch batch{device_plans, data_of<Byte>(images), data_of<Byte>(views), size, sums};
  cudaStream_t const stream = input_stream_.get();
  check(cudaMemsetAsync(sums, 0, sums_bytes, stream));
  const Shape plan_bytes{static_cast<std::int64_t>(plans.size_bytes())};
  copy_from_host(ConstTensorView(plans.data(), DType::kU8, plan_bytes),
                 TensorView(device_plans, DType::kU8, plan_bytes), stream);

  const auto blocks = [&](int per_view) {
    return dim3(static_cast<unsigned>(per_view), static_cast<unsigned>(plans.size()));
  };
  launch(make_tiles, blocks(ViewTile::num_tiles(size)), dim3(kBlock), stream, batch);
  launch(finish_views, blocks((size * size + kBlock - 1) / kBlock), dim3(kBlock), stream, batch);
  for (const bool columns : {false, true}) {
    blur_strips<<<blocks(BlurStrip::num_strips(size, columns)), dim3(kBlock),
                  static_cast<std::size_t>(BlurStrip::memory_bytes(size, columns)), stream>>>(batch, columns);
    check(cudaGetLastError());
  }
}

}  // namespace barlow::cuda
