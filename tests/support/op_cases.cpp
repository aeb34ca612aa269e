// SPDX-License-Identifier: Apache-2.0
#include "support/op_cases.hpp"

namespace barlow::testing {
namespace {

Conv2dDesc conv(std::int64_t N, std::int64_t size, std::int64_t C, std::int64_t K, int filter, int stride,
                DType dtype = DType::kF32) {
  return {.N = N,
          .H = size,
          .W = size,
          .C = C,
          .K = K,
          .R = filter,
          .S = filter,
          .stride = stride,
          .padding = filter / 2,
          .dtype = dtype};
}

}  // namespace

double tolerance_of(DType stored) { return stored == DType::kBF16 ? 1e-5 : stored == DType::kF16 ? 1e-6 : 1e-11; }

std::vector<ConvCase> conv_cases() {
  const DType f32 = DType::kF32;
  return {
      {"1x1", conv(2, 5, 16, 32, 1, 1)},
      {"1x1 one pixel", conv(1, 1, 8, 8, 1, 1)},
      {"1x1 odd channels", conv(3, 4, 13, 7, 1, 1)},
      {"1x1 stride 2, odd size", conv(2, 7, 32, 16, 1, 2)},
      {"1x1 stride 2, even size", conv(2, 8, 64, 48, 1, 2)},
      {"1x1 wide", conv(2, 7, 96, 80, 1, 1)},
      {"1x1, very many inputs", conv(2, 3, 1024, 40, 1, 1)},
      {"1x1, very many outputs", conv(2, 3, 40, 1030, 1, 1)},
      {"1x1, very many of both", conv(1, 2, 520, 1024, 1, 1)},
      {"1x1 to four times the channels, large images", conv(2, 17, 9, 40, 1, 1)},
      {"1x1 of more filters than are done at a time", conv(1, 18, 32, 528, 1, 1)},
      {"1x1 of so many pixels that each thread sums some", conv(5, 21, 64, 16, 1, 1)},
      {"3x3", conv(2, 8, 16, 16, 3, 1)},
      {"3x3 wide", conv(2, 7, 64, 48, 3, 1)},
      {"3x3 wider than a row", conv(1, 3, 32, 32, 3, 1)},
      {"3x3 one pixel", conv(1, 1, 4, 4, 3, 1)},
      {"3x3 odd channels", conv(2, 5, 5, 11, 3, 1)},
      {"3x3 wide, odd channels on a rectangle", {2, 9, 4, 37, 45, 3, 3, 1, 1, f32}},
      {"3x3 of so many filters that threads share their sums", conv(1, 3, 720, 740, 3, 1)},
      {"3x3 wide, in parts", conv(5, 32, 32, 35, 3, 1)},
      {"3x3 stride 2, odd size", conv(2, 9, 32, 32, 3, 2)},
      {"3x3 stride 2, even size", conv(1, 8, 16, 24, 3, 2)},
      {"3x3 stride 2, an odd number of pixels, in parts", conv(1, 33, 64, 24, 3, 2)},
      {"3x3 stride 2, one pixel", conv(3, 1, 64, 64, 3, 2)},
      {"3x3 stride 2, one pixel of few channels", conv(3, 1, 48, 64, 3, 2)},
      {"3x3 stride 3 on two columns", {3, 5, 2, 48, 16, 3, 3, 3, 1, f32}},
      {"3x3 stem", conv(2, 12, 3, 16, 3, 1)},
      {"3x3 stem, stride 2", conv(2, 11, 3, 64, 3, 2)},
      {"7x7 stem", conv(2, 20, 3, 64, 7, 2)},
      {"7x7 stem, odd size", conv(1, 17, 3, 8, 7, 2)},
      {"3x3 on 2x2, many channels", conv(3, 2, 128, 144, 3, 1)},
      {"3x3 on a row, many channels", {2, 1, 5, 128, 128, 3, 3, 1, 1, f32}},
      {"3x3 stride 2, many channels", conv(3, 7, 256, 24, 3, 2)},
      {"3x3 of so many that it is done in parts", conv(2, 43, 512, 2, 3, 1)},
      {"5x3 on a rectangle", {2, 9, 6, 6, 10, 5, 3, 1, 2, f32}},
      {"5x3 on a rectangle, many channels", {2, 9, 6, 32, 16, 5, 3, 1, 2, f32}},
      {"3x3 without padding", {2, 6, 7, 8, 8, 3, 3, 1, 0, f32}},
      {"1x1 with padding", {1, 4, 4, 8, 8, 1, 1, 1, 1, f32}},
  };
}

std::vector<NormCase> norm_cases() {
  const DType f32 = DType::kF32, bf16 = DType::kBF16, f16 = DType::kF16;
  return {
      {"plain", {2, 37, 16, false, false, f32, f32}, true},
      {"relu", {2, 130, 64, true, false, f32, f32}, true},
      {"residual", {2, 67, 32, true, true, f32, f32}, true},
      {"residual without relu", {2, 9, 24, false, true, f32, f32}, true},
      {"odd channels", {2, 29, 13, true, false, f32, f32}, true},
      {"3 channels", {1, 50, 3, true, true, f32, f32}, true},
      {"many channels", {2, 5, 1000, true, false, f32, f32}, true},
      {"three rows", {1, 3, 8, false, false, f32, f32}, true},
      {"one row of many ranks'", {2, 1, 24, true, true, f32, f32}, true},
      {"without gamma and beta", {2, 40, 48, false, false, f32, f32}, false},
      {"without gamma and beta, relu", {1, 33, 17, true, false, f32, f32}, false},
      {"bf16 relu", {2, 70, 64, true, false, bf16, bf16}, true},
      {"bf16 relu, many rows", {2, 700, 64, true, false, bf16, bf16}, true},
      {"bf16 residual, many rows", {2, 700, 64, true, true, bf16, bf16}, true},
      {"many rows of 3 channels", {1, 3001, 3, true, true, f32, f32}, true},
      {"bf16 residual", {2, 41, 40, true, true, bf16, bf16}, true},
      {"bf16 odd channels", {1, 23, 11, true, true, bf16, bf16}, true},
      {"bf16 to fp32", {2, 31, 20, false, false, bf16, f32}, false},
      {"fp16 relu", {2, 70, 64, true, false, f16, f16}, true},
      {"fp16 residual", {2, 41, 40, true, true, f16, f16}, true},
      {"fp16 to fp32", {2, 31, 20, false, false, f16, f32}, false},
      {"fp32 to bf16", {2, 31, 33, true, false, f32, bf16}, true},
  };
}

std::vector<PoolCase> pool_cases() {
  const DType f32 = DType::kF32;
  return {
      {"the stem's", {2, 12, 12, 16, 3, 2, 1, f32}}, {"odd size", {1, 11, 9, 7, 3, 2, 1, f32}},
      {"2x2", {2, 6, 6, 5, 2, 2, 0, f32}},           {"one pixel", {1, 1, 1, 3, 3, 2, 1, f32}},
      {"stride 1", {1, 5, 4, 33, 3, 1, 1, f32}},
  };
}

std::vector<GemmCase> gemm_cases() {
  return {
      {"A B", {.M = 17, .N = 23, .K = 31}},
      {"A B^T", {.M = 32, .N = 48, .K = 64, .transpose_b = true}},
      {"A^T B", {.M = 40, .N = 24, .K = 56, .transpose_a = true}},
      {"A^T B^T", {.M = 5, .N = 6, .K = 7, .transpose_a = true, .transpose_b = true}},
      {"one row", {.M = 1, .N = 64, .K = 33, .transpose_b = true}},
      {"one column", {.M = 19, .N = 1, .K = 20}},
      {"one product", {.M = 9, .N = 8, .K = 1, .transpose_a = true}},
      {"scaled", {.M = 33, .N = 16, .K = 20, .transpose_a = true, .alpha = 0.125F}},
      {"accumulated", {.M = 16, .N = 16, .K = 50, .transpose_b = true, .beta = 1}},
      {"rows of a wider A", {.M = 12, .N = 16, .K = 24, .row_stride_a = 40}},
      {"columns of a wider A^T", {.M = 24, .N = 32, .K = 40, .transpose_a = true, .row_stride_a = 96}},
      {"scaled and accumulated", {.M = 21, .N = 19, .K = 8, .alpha = -0.5F, .beta = 0.75F}},
  };
}

std::vector<LayerConv> resnet50_convs(std::int64_t images, DType dtype) {
  std::vector<LayerConv> layers{{conv(images, 224, 3, 64, 7, 2, dtype), 1}};
  const int blocks_of_stage[] = {3, 4, 6, 3};
  std::int64_t input = 64, size = 56;
  for (int stage = 0; stage < 4; ++stage) {
    const int blocks = blocks_of_stage[stage], stride = stage == 0 ? 1 : 2;
    const std::int64_t planes = 64LL << stage, output = 4 * planes, smaller = size / stride;
    const auto add = [&](std::int64_t extent, std::int64_t C, std::int64_t K, int filter, int step, int count) {
      layers.push_back({conv(images, extent, C, K, filter, step, dtype), count});
    };
    add(size, input, planes, 1, 1, 1);
    add(size, planes, planes, 3, stride, 1);
    add(size, input, output, 1, stride, 1);
    add(smaller, planes, output, 1, 1, blocks);
    add(smaller, output, planes, 1, 1, blocks - 1);
    add(smaller, planes, planes, 3, 1, blocks - 1);
    input = output;
    size = smaller;
  }
  return layers;
}

}  // namespace barlow::testing
