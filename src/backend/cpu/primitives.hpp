// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <vector>

#include "barlow/backend/op_descriptors.hpp"

namespace barlow::cpu {

/// One oneDNN operation with the layouts it chose. Building one costs milliseconds; running it does not.
struct Primitive {
  dnnl::primitive primitive;
  dnnl::memory::desc weights;  ///< the layout that the operation wants, of the filter or its gradient
};

enum class ConvolutionKind { kForward, kGradInput, kGradFilter };

/// oneDNN's engine and stream, and every primitive built so far. The oneDNN interface of versions 2 and 3 differs in
/// how descriptors are made: that difference ends in primitives.cpp.
class Primitives {
 public:
  Primitives();

  const Primitive& convolution(const Conv2dDesc& desc, ConvolutionKind kind);
  /// A matrix product and how its matrices lie.
  struct Product {
    dnnl::primitive matmul;
    dnnl::memory::desc a, b, c;
  };
  /// Rows of a are dense.
  const Product& product(const GemmDesc& desc, DType ab, DType c);

  /// False for a type that oneDNN has no products of on this processor: bf16 without AVX-512, for one.
  bool multiplies(DType dtype);

  dnnl::stream& stream() { return stream_; }
  /// A tensor over memory of ours.
  dnnl::memory wrap(const dnnl::memory::desc& desc, const void* data) {
    return {desc, engine_, const_cast<void*>(data)};
  }
  /// Aligned memory, kept between calls; one use at a time.
  std::byte* scratch(std::size_t size_bytes);
  void reorder(dnnl::memory from, dnnl::memory to);

  static dnnl::memory::data_type type_of(DType dtype);
  /// [N,C,H,W] as oneDNN counts, NHWC in memory.
  static dnnl::memory::desc images(std::int64_t N, std::int64_t C, std::int64_t H, std::int64_t W, DType dtype);
  /// [K,C,R,S] as oneDNN counts, KRSC in memory.
  static dnnl::memory::desc filter(const Conv2dDesc& desc, DType dtype);

 private:
  Primitive build_convolution(const Conv2dDesc& desc, ConvolutionKind kind);

  using ConvolutionKey = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, int, int, int,
                                    int, DType, ConvolutionKind>;
  using ProductKey = std::tuple<GemmDesc, DType, DType>;

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::map<ConvolutionKey, Primitive> convolutions_;
  std::map<ProductKey, Product> products_;
  std::vector<std::byte> scratch_;
};

}  // namespace barlow::cpu
