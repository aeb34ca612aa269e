// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "barlow/backend/op_descriptors.hpp"

/// The catalogue of operation cases: parity tests, gradient tests and benchmarks take their shapes from here.
namespace barlow::testing {

/// Largest NMSE of a result stored in this type against the same operation in double on the same inputs: what rounding
/// the result costs (a 24-bit or 8-bit significand), and sums in f32.
double tolerance_of(DType stored);

struct ConvCase {
  std::string name;
  Conv2dDesc desc;  ///< in kF32; tests run it in each type
};
/// Small, odd ones included: 3 channels, one pixel, channels that fill no vector, stride 2 on odd sizes.
std::vector<ConvCase> conv_cases();

struct NormCase {
  std::string name;
  BatchNormDesc desc;
  bool affine;  ///< with gamma and beta
};
std::vector<NormCase> norm_cases();

struct PoolCase {
  std::string name;
  MaxPoolDesc desc;
};
std::vector<PoolCase> pool_cases();

struct GemmCase {
  std::string name;
  GemmDesc desc;
};
std::vector<GemmCase> gemm_cases();

/// A convolution of ResNet-50 for 224x224 images, and how often the network has it.
struct LayerConv {
  Conv2dDesc desc;
  int count;
};
/// All 53, as 23 shapes, for `images` images (both views counted).
std::vector<LayerConv> resnet50_convs(std::int64_t images, DType dtype);

}  // namespace barlow::testing
