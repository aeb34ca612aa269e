// SPDX-License-Identifier: Apache-2.0
#include "primitives.hpp"

#include "barlow/base/error.hpp"

namespace barlow::cpu {
namespace {

using dnnl::memory;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

#if DNNL_VERSION_MAJOR >= 3

auto forward_descriptor(const dnnl::engine& engine, const memory::desc& x, const memory::desc& w, const memory::desc& y,
                        const memory::dims& strides, const memory::dims& padding) {
  return dnnl::convolution_forward::primitive_desc(engine, dnnl::prop_kind::forward_training, kDirect, x, w, y, strides,
                                                   padding, padding);
}
auto data_descriptor(const dnnl::engine& engine, const memory::desc& dx, const memory::desc& w, const memory::desc& dy,
                     const memory::dims& strides, const memory::dims& padding,
                     const dnnl::convolution_forward::primitive_desc& hint) {
  return dnnl::convolution_backward_data::primitive_desc(engine, kDirect, dx, w, dy, strides, padding, padding, hint);
}
auto filter_descriptor(const dnnl::engine& engine, const memory::desc& x, const memory::desc& dw,
                       const memory::desc& dy, const memory::dims& strides, const memory::dims& padding,
                       const dnnl::convolution_forward::primitive_desc& hint) {
  return dnnl::convolution_backward_weights::primitive_desc(engine, kDirect, x, dw, dy, strides, padding, padding,
                                                            hint);
}
auto matmul_descriptor(const dnnl::engine& engine, const memory::desc& a, const memory::desc& b, const memory::desc& c,
                       const dnnl::primitive_attr& attributes) {
  return dnnl::matmul::primitive_desc(engine, a, b, c, attributes);
}

#else

auto forward_descriptor(const dnnl::engine& engine, const memory::desc& x, const memory::desc& w, const memory::desc& y,
                        const memory::dims& strides, const memory::dims& padding) {
  const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_training, kDirect, x, w, y, strides, padding,
                                             padding);
  return dnnl::convolution_forward::primitive_desc(desc, engine);
}
auto data_descriptor(const dnnl::engine& engine, const memory::desc& dx, const memory::desc& w, const memory::desc& dy,
                     const memory::dims& strides, const memory::dims& padding,
                     const dnnl::convolution_forward::primitive_desc& hint) {
  const dnnl::convolution_backward_data::desc desc(kDirect, dx, w, dy, strides, padding, padding);
  return dnnl::convolution_backward_data::primitive_desc(desc, engine, hint);
}
auto filter_descriptor(const dnnl::engine& engine, const memory::desc& x, const memory::desc& dw,
                       const memory::desc& dy, const memory::dims& strides, const memory::dims& padding,
                       const dnnl::convolution_forward::primitive_desc& hint) {
  const dnnl::convolution_backward_weights::desc desc(kDirect, x, dw, dy, strides, padding, padding);
  return dnnl::convolution_backward_weights::primitive_desc(desc, engine, hint);
}
auto matmul_descriptor(const dnnl::engine& engine, const memory::desc& a, const memory::desc& b, const memory::desc& c,
                       const dnnl::primitive_attr& attributes) {
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), attributes, engine);
}

#endif

memory::desc matrix(std::int64_t rows, std::int64_t columns, bool transposed, DType dtype) {
  const memory::dims strides = transposed ? memory::dims{1, rows} : memory::dims{columns, 1};
  return {{rows, columns}, Primitives::type_of(dtype), strides};
}

}  // namespace

Primitives::Primitives() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}

memory::data_type Primitives::type_of(DType dtype) {
  if (dtype == DType::kF32) return memory::data_type::f32;
  if (dtype == DType::kBF16) return memory::data_type::bf16;
  throw ShapeError(std::string("the CPU backend does not compute in ") + name_of(dtype));
}

memory::desc Primitives::images(std::int64_t N, std::int64_t C, std::int64_t H, std::int64_t W, DType dtype) {
  return {{N, C, H, W}, type_of(dtype), memory::format_tag::nhwc};
}

memory::desc Primitives::filter(const Conv2dDesc& d, DType dtype) {
  return {{d.K, d.C, d.R, d.S}, type_of(dtype), memory::format_tag::ohwi};
}

const Primitive& Primitives::convolution(const Conv2dDesc& d, ConvolutionKind kind) {
  const ConvolutionKey key{d.N, d.H, d.W, d.C, d.K, d.R, d.S, d.stride, d.padding, d.dtype, kind};
  auto found = convolutions_.find(key);
  if (found == convolutions_.end()) found = convolutions_.emplace(key, build_convolution(d, kind)).first;
  return found->second;
}

Primitive Primitives::build_convolution(const Conv2dDesc& d, ConvolutionKind kind) {
  const memory::desc x = images(d.N, d.C, d.H, d.W, d.dtype);
  const memory::desc y = images(d.N, d.K, d.P(), d.Q(), d.dtype);
  const auto any_filter = [&](DType dtype) {
    return memory::desc({d.K, d.C, d.R, d.S}, type_of(dtype), memory::format_tag::any);
  };
  const memory::dims strides{d.stride, d.stride}, padding{d.padding, d.padding};
  const auto forward = forward_descriptor(engine_, x, any_filter(d.dtype), y, strides, padding);
  switch (kind) {
    case ConvolutionKind::kForward:
      return {dnnl::convolution_forward(forward), forward.weights_desc()};
    case ConvolutionKind::kGradInput: {
      const auto data = data_descriptor(engine_, x, any_filter(d.dtype), y, strides, padding, forward);
      return {dnnl::convolution_backward_data(data), data.weights_desc()};
    }
    case ConvolutionKind::kGradFilter:
      break;
  }
  const auto filters = filter_descriptor(engine_, x, any_filter(DType::kF32), y, strides, padding, forward);
  return {dnnl::convolution_backward_weights(filters), filters.diff_weights_desc()};
}

const Primitives::Product& Primitives::product(const GemmDesc& d, DType ab, DType c) {
  const ProductKey key{d, ab, c};
  const auto found = products_.find(key);
  if (found != products_.end()) return found->second;
  dnnl::post_ops after;
  if (d.alpha != 1) {
#if DNNL_VERSION_MAJOR >= 3
    after.append_eltwise(dnnl::algorithm::eltwise_linear, d.alpha, 0);
#else
    after.append_eltwise(1, dnnl::algorithm::eltwise_linear, d.alpha, 0);
#endif
  }
  if (d.beta != 0) after.append_sum(d.beta);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  Product product{
      {}, matrix(d.M, d.K, d.transpose_a, ab), matrix(d.K, d.N, d.transpose_b, ab), matrix(d.M, d.N, false, c)};
  product.matmul = dnnl::matmul(matmul_descriptor(engine_, product.a, product.b, product.c, attributes));
  return products_.emplace(key, std::move(product)).first->second;
}

bool Primitives::multiplies(DType dtype) {
  try {
    product({.M = 16, .N = 16, .K = 16}, dtype, dtype);
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

std::byte* Primitives::scratch(std::size_t size_bytes) {
  constexpr std::size_t kAlignment = 64;
  if (scratch_.size() < size_bytes + kAlignment) scratch_.resize(size_bytes + kAlignment);
  const auto address = reinterpret_cast<std::uintptr_t>(scratch_.data());
  return scratch_.data() + (kAlignment - address % kAlignment) % kAlignment;
}

void Primitives::reorder(memory from, memory to) {
  dnnl::reorder(from, to).execute(stream_, from, to);
  stream_.wait();
}

}  // namespace barlow::cpu
