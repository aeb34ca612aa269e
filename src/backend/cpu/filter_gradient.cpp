// SPDX-License-Identifier: Apache-2.0
#include "filter_gradient.hpp"

#include <algorithm>
#include <array>

#include "element.hpp"
#include "filter_gradient_kernels.hpp"
#include "partition.hpp"
#include "primitives.hpp"

namespace barlow::cpu {
namespace {

// So deep that packed panels of x and dy are in the first cache together; so many filters that dy's are in the second.
constexpr std::int64_t kDepth = 128, kMostFilters = 512;

const FilterGradientKernels& kernels_for(DType dtype) {
  const FilterGradientTables& tables = filter_gradient_kernels();
  return dtype == DType::kBF16 ? tables.bf16 : tables.fp32;
}

/// Brings memory into the second cache, a share of it at each call.
class Prefetch {
 public:
  Prefetch() = default;
  Prefetch(const std::byte* first, const std::byte* last, std::int64_t calls)
      : next_(first), last_(last), share_(((last - first) / calls / kLine + 1) * kLine) {}

  void go_on() {
    for (const std::byte* const end = std::min(next_ + share_, last_); next_ < end; next_ += kLine)
      __builtin_prefetch(next_, 0, 2);
  }

 private:
  static constexpr std::int64_t kLine = 64;
  const std::byte *next_ = nullptr, *last_ = nullptr;
  std::int64_t share_ = 0;
};

/// A part of the sum: some pixels of y, and of dw's columns some panels of a tile's width.
class Part {
 public:
  /// @param packed  packed_size() entries
  Part(const Conv2dDesc& d, ConstTensorView x, ConstTensorView dy, std::uint32_t* packed)
      : d_(d),
        kernels_(kernels_for(d.dtype)),
        x_(data_of<std::byte>(x)),
        dy_(data_of<std::byte>(dy)),
        element_bytes_(static_cast<std::int64_t>(size_of(d.dtype))),
        pixels_per_entry_(4 / element_bytes_),
        packed_dy_(packed),
        packed_x_(packed_dy_ + std::min(d.K, kMostFilters) * kDepth),
        zeros_(reinterpret_cast<std::byte*>(packed_x_ + kernels_.tile_columns * kDepth)) {
    std::fill_n(zeros_, std::max(d.C, d.K) * element_bytes_, std::byte{});
  }
  static std::int64_t packed_size(const Conv2dDesc& d) {
    return (std::min(d.K, kMostFilters) + kernels_for(d.dtype).tile_columns) * kDepth + std::max(d.C, d.K);
  }
  static std::int64_t num_panels(const Conv2dDesc& d) { return d.R * d.S * d.C / kernels_for(d.dtype).tile_columns; }
  static std::int64_t num_pixels(const Conv2dDesc& d) { return d.N * d.P() * d.Q(); }

  /// dw [K,R*S*C] in the columns of `panels`.
  void compute(Range pixels, Range panels, float* dw) {
    const std::int64_t most = kDepth * pixels_per_entry_;
    for (std::int64_t first = pixels.first; first < pixels.last; first += most) {
      block_ = {first, std::min(first + most, pixels.last)};
      depth_ = (block_.last - first + pixels_per_entry_ - 1) / pixels_per_entry_;
      look_ahead({block_.last, std::min(block_.last + most, pixels.last)}, panels);
      for (std::int64_t k = 0; k < d_.K; k += kMostFilters) {
        const Range filters{k, std::min(k + kMostFilters, d_.K)};
        pack_dy(filters);
        multiply(filters, panels, first > pixels.first, dw);
      }
    }
  }

 private:
  void look_ahead(Range next, Range panels) {
    const std::int64_t calls = (panels.last - panels.first) * d_.K / kernels_.tile_rows;
    const std::int64_t row_bytes = d_.K * element_bytes_;
    next_dy_ = {dy_ + next.first * row_bytes, dy_ + next.last * row_bytes, calls};
    if (d_.R < d_.stride) return;  // most of x is not wanted
    const std::int64_t x_bytes = d_.N * d_.H * d_.W * d_.C * element_bytes_;
    next_x_ = {x_ + x_bytes * next.first / num_pixels(d_), x_ + x_bytes * next.last / num_pixels(d_), calls};
  }

  void pack_dy(Range filters) {
    const std::int64_t count = block_.last - block_.first, num_rows = depth_ * pixels_per_entry_;
    for (std::int64_t i = 0; i < num_rows; ++i)
      rows_[i] = i < count ? dy_ + (block_.first + i) * d_.K * element_bytes_ : zeros_;
    // A few rows at a time, so that a cache line is read once for all of its panels.
    constexpr std::int64_t kRowsAtOnce = 16;
    for (std::int64_t i = 0; i < num_rows; i += kRowsAtOnce) {
      std::uint32_t* panel = packed_dy_ + i / pixels_per_entry_ * kernels_.tile_rows;
      for (std::int64_t k = filters.first; k < filters.last;
           k += kernels_.tile_rows, panel += kernels_.tile_rows * depth_)
        kernels_.pack_a(rows_.data() + i, std::min(kRowsAtOnce, num_rows - i), k * element_bytes_, panel);
    }
  }

  void multiply(Range filters, Range panels, bool add, float* dw) {
    const std::int64_t columns = d_.R * d_.S * d_.C, panels_per_position = d_.C / kernels_.tile_columns;
    for (std::int64_t panel = panels.first; panel < panels.last; ++panel) {
      const std::int64_t c = panel % panels_per_position * kernels_.tile_columns;
      if (c == 0 || panel == panels.first) find_pixels(panel / panels_per_position);
      kernels_.pack_b(rows_.data(), depth_ * pixels_per_entry_, c * element_bytes_, packed_x_);
      const std::uint32_t* packed_dy = packed_dy_;
      for (std::int64_t k = filters.first; k < filters.last;
           k += kernels_.tile_rows, packed_dy += kernels_.tile_rows * depth_) {
        next_dy_.go_on();
        next_x_.go_on();
        kernels_.multiply(depth_, packed_dy, packed_x_, add, dw + k * columns + panel * kernels_.tile_columns, columns);
      }
    }
  }

  /// The pixels of x that a position of the filter meets, zeros beyond the border.
  void find_pixels(std::int64_t position) {
    const std::int64_t row_bytes = d_.C * element_bytes_;
    const std::int64_t top = position / d_.S - d_.padding, left = position % d_.S - d_.padding;
    std::int64_t n = block_.first / (d_.P() * d_.Q()), p = block_.first / d_.Q() % d_.P(), q = block_.first % d_.Q();
    std::int64_t i = 0;
    while (i < block_.last - block_.first) {
      const std::int64_t h = p * d_.stride + top, w = q * d_.stride + left;
      const bool inside = h >= 0 && h < d_.H && w >= 0 && w < d_.W;
      rows_[i++] = inside ? x_ + ((n * d_.H + h) * d_.W + w) * row_bytes : zeros_;
      if (++q < d_.Q()) continue;
      q = 0;
      if (++p < d_.P()) continue;
      p = 0;
      ++n;
    }
    while (i < depth_ * pixels_per_entry_) rows_[i++] = zeros_;
  }

  const Conv2dDesc& d_;
  const FilterGradientKernels& kernels_;
  const std::byte *x_, *dy_;
  std::int64_t element_bytes_, pixels_per_entry_;
  std::uint32_t *packed_dy_, *packed_x_;
  std::byte* zeros_;

  // What is computed at a time: pixels of y, and how many entries they are.
  Range block_{};
  std::int64_t depth_ = 0;
  std::array<const std::byte*, 2 * kDepth> rows_;
  Prefetch next_dy_, next_x_;
};

}  // namespace

bool fits_filter_gradient(const Conv2dDesc& d) {
  const FilterGradientKernels& kernels = kernels_for(d.dtype);
  return kernels.multiply != nullptr && d.C % kernels.tile_columns == 0 && d.K % kernels.tile_rows == 0;
}

void filter_gradient(Primitives& primitives, const Conv2dDesc& d, ConstTensorView x, ConstTensorView dy, TensorView dw,
                     int num_threads) {
  const std::int64_t pixels = Part::num_pixels(d), panels = Part::num_panels(d), size = dw.num_elements();
  // The first slice has its sums in dw itself; memory for the others' sums, and the time to add them up, limit slices.
  constexpr std::int64_t kMostSums = 16 << 20, kFewestPixels = 1024;
  const SlicedSum sum(num_threads, pixels, panels, std::min(kMostSums / size, pixels / kFewestPixels));
  const std::int64_t task_size = Part::packed_size(d),
                     scratch_size = (sum.slices() - 1) * size + sum.tasks() * task_size;
  auto* const sums = reinterpret_cast<float*>(primitives.scratch(static_cast<std::size_t>(4 * scratch_size)));
  auto* const packed = reinterpret_cast<std::uint32_t*>(sums + (sum.slices() - 1) * size);
  float* const result = data_of<float>(dw);
  sum.run([&](std::int64_t task, std::int64_t slice, Range some_pixels, Range some_panels) {
    Part(d, x, dy, packed + task * task_size)
        .compute(some_pixels, some_panels, slice == 0 ? result : sums + (slice - 1) * size);
  });
  if (sum.slices() == 1) return;
  parallel_ranges(num_threads, size, [&](Range range, int) {
    for (std::int64_t slice = 0; slice + 1 < sum.slices(); ++slice)
      for (std::int64_t i = range.first; i < range.last; ++i) result[i] += sums[slice * size + i];
  });
}

}  // namespace barlow::cpu
