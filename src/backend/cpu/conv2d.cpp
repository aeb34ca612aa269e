// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include "cpu_backend.hpp"
#include "filter_gradient.hpp"
#include "primitives.hpp"
#include "unfold.hpp"
#include "winograd.hpp"

namespace barlow::cpu {
namespace {

/// The filter in the layout that a primitive wants: as it is, or reordered into scratch memory.
dnnl::memory filter_for(Primitives& primitives, const Conv2dDesc& desc, const Primitive& target, const void* w) {
  const dnnl::memory given = primitives.wrap(Primitives::filter(desc, desc.dtype), w);
  if (given.get_desc() == target.weights) return given;
  const dnnl::memory wanted = primitives.wrap(target.weights, primitives.scratch(target.weights.get_size()));
  primitives.reorder(given, wanted);
  return wanted;
}

bool is_one_position(const Conv2dDesc& d) { return d.R == 1 && d.S == 1 && d.padding == 0; }

/// A filter of one position on every pixel: x, dy and w are matrices as they are.
bool is_product_in_fp32(const Conv2dDesc& d) { return is_one_position(d) && d.stride == 1 && d.dtype == DType::kF32; }

constexpr std::int64_t kSmallImage = 256;  // pixels

/// Where that product beats oneDNN's own y, as measured (README.md).
bool multiplies(const Conv2dDesc& d) {
  return is_product_in_fp32(d) && d.H * d.W <= kSmallImage && std::max(d.C, d.K) >= 1024;
}

/// And its own dx: that of filters that widen four times is faster on large images only.
bool multiplies_for_input(const Conv2dDesc& d) {
  if (d.K >= 4 * d.C) return is_product_in_fp32(d) && d.H * d.W > kSmallImage;
  return multiplies(d);
}

/// Where a product with unfolded images beats oneDNN's own gradient of the filter, as measured with AMX (README.md), or
/// where that is wrong: on AVX-512, 2.6 adds in what lies beside images narrower than the stride.
bool unfolds_for_filter(const Conv2dDesc& d) {
  if (is_one_position(d)) return d.stride > 1 || d.dtype == DType::kBF16;
  if (d.W < d.stride && d.dtype == DType::kBF16) return true;
  const bool few_outputs = d.P() * d.Q() <= 16;
  return (d.C >= 512 || (d.C >= 256 && d.stride > 1) || (d.C >= 128 && few_outputs)) && d.dtype == DType::kBF16;
}

/// And its own y and dx: several positions on images of a few pixels, most of which lie beyond the border.
bool unfolds_for_images(const Conv2dDesc& d) {
  const bool keeps_size = d.H == d.P() && d.W == d.Q();
  return keeps_size && d.stride == 1 && d.R > 1 && d.H * d.W < 9 && std::min(d.C, d.K) >= 128;
}

/// Where Winograd's algorithm beats all of these: with fewer channels its transforms cost more than they save.
bool transforms_tiles(const Conv2dDesc& d) { return fits_winograd(d) && std::min(d.C, d.K) >= 32; }

/// The convolution from dy to dx where images keep their size.
Conv2dDesc backwards(Conv2dDesc d) {
  std::swap(d.C, d.K);
  return d;
}

/// Calls f(descriptor of some images, the first of them) for few enough that what is unfolded stays small.
template <class F>
void for_some_images(const Conv2dDesc& d, F&& f) {
  constexpr std::int64_t kMostBytes = 16 << 20;
  const std::int64_t bytes = d.P() * d.Q() * d.R * d.S * d.C * static_cast<std::int64_t>(size_of(d.dtype));
  const std::int64_t most = std::max<std::int64_t>(1, kMostBytes / bytes);
  for (std::int64_t first = 0; first < d.N; first += most) {
    Conv2dDesc some = d;
    some.N = std::min(most, d.N - first);
    f(some, first);
  }
}

/// [N*P*Q, R*S*C] in scratch memory.
TensorView patches_memory(Primitives& primitives, const Conv2dDesc& d) {
  const Shape shape{d.N * d.P() * d.Q(), d.R * d.S * d.C};
  return {primitives.scratch(static_cast<std::size_t>(shape.num_elements()) * size_of(d.dtype)), d.dtype, shape};
}

}  // namespace

void CpuBackend::do_conv2d(const Conv2dDesc& d, In x, In w, Out y) {
  if (multiplies(d)) return do_gemm({.M = d.N * d.H * d.W, .N = d.K, .K = d.C, .transpose_b = true}, x, w, y);
  if (unfolds_for_images(d)) return multiply_unfolded(d, x, w, true, y);
  if (transforms_tiles(d)) return winograd_conv2d(*primitives_, d, x, w, false, y, num_threads_);
  const Primitive& forward = primitives_->convolution(d, ConvolutionKind::kForward);
  forward.primitive.execute(
      primitives_->stream(),
      {{DNNL_ARG_SRC, primitives_->wrap(Primitives::images(d.N, d.C, d.H, d.W, d.dtype), x.data)},
       {DNNL_ARG_WEIGHTS, filter_for(*primitives_, d, forward, w.data)},
       {DNNL_ARG_DST, primitives_->wrap(Primitives::images(d.N, d.K, d.P(), d.Q(), d.dtype), y.data)}});
  primitives_->stream().wait();
}

void CpuBackend::do_conv2d_grad_input(const Conv2dDesc& d, In dy, In w, Out dx) {
  if (multiplies_for_input(d)) return do_gemm({.M = d.N * d.H * d.W, .N = d.C, .K = d.K}, dy, w, dx);
  if (unfolds_for_images(d)) {
    std::vector<std::byte> turned(w.size_bytes());
    turn_filter(d, w.data, turned.data(), num_threads_);
    return multiply_unfolded(backwards(d), dy, ConstTensorView(turned.data(), d.dtype, w.shape), false, dx);
  }
  if (transforms_tiles(d)) return winograd_conv2d(*primitives_, backwards(d), dy, w, true, dx, num_threads_);
  if (is_one_position(d) && d.stride > 1) {
    for_some_images(d, [&](const Conv2dDesc& some, std::int64_t first) {
      const TensorView met = patches_memory(*primitives_, some);
      do_gemm({.M = met.shape[0], .N = d.C, .K = d.K}, dy.slice(first, some.N), w, met);
      spread(some, met.data, dx.slice(first, some.N).data, num_threads_);
    });
    return;
  }
  const Primitive& backward = primitives_->convolution(d, ConvolutionKind::kGradInput);
  backward.primitive.execute(
      primitives_->stream(),
      {{DNNL_ARG_DIFF_DST, primitives_->wrap(Primitives::images(d.N, d.K, d.P(), d.Q(), d.dtype), dy.data)},
       {DNNL_ARG_WEIGHTS, filter_for(*primitives_, d, backward, w.data)},
       {DNNL_ARG_DIFF_SRC, primitives_->wrap(Primitives::images(d.N, d.C, d.H, d.W, d.dtype), dx.data)}});
  primitives_->stream().wait();
}

void CpuBackend::do_conv2d_grad_filter(const Conv2dDesc& d, In x, In dy, Out dw) {
  if (transforms_tiles(d)) return winograd_grad_filter(*primitives_, d, x, dy, dw, num_threads_);
  if (fits_filter_gradient(d)) return filter_gradient(*primitives_, d, x, dy, dw, num_threads_);
  if (unfolds_for_filter(d)) return multiply_unfolded_for_filter(d, x, dy, dw);
  const Primitive& backward = primitives_->convolution(d, ConvolutionKind::kGradFilter);
  const dnnl::memory result = primitives_->wrap(Primitives::filter(d, DType::kF32), dw.data);
  const bool direct = backward.weights == result.get_desc();
  const dnnl::memory target =
      direct ? result : primitives_->wrap(backward.weights, primitives_->scratch(backward.weights.get_size()));
  backward.primitive.execute(
      primitives_->stream(),
      {{DNNL_ARG_SRC, primitives_->wrap(Primitives::images(d.N, d.C, d.H, d.W, d.dtype), x.data)},
       {DNNL_ARG_DIFF_DST, primitives_->wrap(Primitives::images(d.N, d.K, d.P(), d.Q(), d.dtype), dy.data)},
       {DNNL_ARG_DIFF_WEIGHTS, target}});
  primitives_->stream().wait();
  if (!direct) primitives_->reorder(target, result);
}

/// y = patches w^T, w [K,R*S*C]; or, not transposed, y = patches w, w [R*S*C,K].
void CpuBackend::multiply_unfolded(const Conv2dDesc& d, In x, In w, bool transpose_w, Out y) {
  for_some_images(d, [&](const Conv2dDesc& some, std::int64_t first) {
    const TensorView patches = patches_memory(*primitives_, some);
    unfold(some, x.slice(first, some.N).data, patches.data, num_threads_);
    const GemmDesc product{.M = patches.shape[0], .N = d.K, .K = patches.shape[1], .transpose_b = transpose_w};
    do_gemm(product, patches, w, y.slice(first, some.N));
  });
}

/// dw [K,R*S*C] = dy^T patches.
void CpuBackend::multiply_unfolded_for_filter(const Conv2dDesc& d, In x, In dy, Out dw) {
  const auto add_product = [&](ConstTensorView patches, ConstTensorView some_dy, float beta) {
    const std::int64_t rows = some_dy.num_elements() / d.K;
    do_gemm({.M = d.K, .N = d.R * d.S * d.C, .K = rows, .transpose_a = true, .beta = beta}, some_dy, patches, dw);
  };
  if (is_one_position(d) && d.stride == 1) return add_product(x, dy, 0);
  for_some_images(d, [&](const Conv2dDesc& some, std::int64_t first) {
    const TensorView patches = patches_memory(*primitives_, some);
    unfold(some, x.slice(first, some.N).data, patches.data, num_threads_);
    add_product(patches, dy.slice(first, some.N), first > 0 ? 1.0F : 0.0F);
  });
}

}  // namespace barlow::cpu
