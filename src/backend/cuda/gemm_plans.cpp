// SPDX-License-Identifier: Apache-2.0
#include "gemm_plans.hpp"

#include <fmt/format.h>

#include "access.hpp"
#include "barlow/base/error.hpp"

namespace barlow::cuda {
namespace {

struct Destroy {
  void operator()(cublasLtMatmulDesc_t matmul) const noexcept { cublasLtMatmulDescDestroy(matmul); }
  void operator()(cublasLtMatrixLayout_t layout) const noexcept { cublasLtMatrixLayoutDestroy(layout); }
  void operator()(cublasLtMatmulPreference_t preference) const noexcept { cublasLtMatmulPreferenceDestroy(preference); }
};
template <class Handle>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
using Matmul = Owner<cublasLtMatmulDesc_t>;
using Layout = Owner<cublasLtMatrixLayout_t>;
using Preference = Owner<cublasLtMatmulPreference_t>;

cudaDataType type_of(DType dtype) {
  return dtype == DType::kBF16 ? CUDA_R_16BF : dtype == DType::kF16 ? CUDA_R_16F : CUDA_R_32F;
}

/// cuBLAS counts by columns: a row-major [rows,columns] is its [columns,rows].
Layout layout_of(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t row_stride) {
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublasLtMatrixLayoutCreate(&layout, type_of(dtype), static_cast<std::uint64_t>(columns),
                                   static_cast<std::uint64_t>(rows), row_stride));
  return Layout(layout);
}

void set_transpose(const Matmul& matmul, cublasLtMatmulDescAttributes_t which, bool transposed) {
  const cublasOperation_t operation = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  check(cublasLtMatmulDescSetAttribute(matmul.get(), which, &operation, sizeof operation));
}

}  // namespace

struct GemmPlans::Plan {
  Matmul matmul;
  Layout first, second, result;
  cublasLtMatmulAlgo_t algorithm;
};

GemmPlans::GemmPlans(cudaStream_t stream, void* workspace, std::size_t workspace_bytes, bool tf32)
    : stream_(stream), workspace_(workspace), workspace_bytes_(workspace_bytes), tf32_(tf32), cublas_(make_cublas()) {}

GemmPlans::~GemmPlans() = default;

// C [M,N] row-major is C^T by columns, and C^T = op(B)^T op(A)^T: the operands change places, transpositions stay.
GemmPlans::Plan GemmPlans::build(const Key& key) const {
  const auto& [d, ab, c, a_alignment, b_alignment, c_alignment] = key;
  Plan plan{};
  cublasLtMatmulDesc_t matmul = nullptr;
  const cublasComputeType_t compute = ab == DType::kF32 && tf32_ ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check(cublasLtMatmulDescCreate(&matmul, compute, CUDA_R_32F));
  plan.matmul.reset(matmul);
  set_transpose(plan.matmul, CUBLASLT_MATMUL_DESC_TRANSA, d.transpose_b);
  set_transpose(plan.matmul, CUBLASLT_MATMUL_DESC_TRANSB, d.transpose_a);
  plan.first = d.transpose_b ? layout_of(ab, d.N, d.K, d.K) : layout_of(ab, d.K, d.N, d.N);
  plan.second = d.transpose_a ? layout_of(ab, d.K, d.M, d.a_row_stride()) : layout_of(ab, d.M, d.K, d.a_row_stride());
  plan.result = layout_of(c, d.M, d.N, d.N);

  cublasLtMatmulPreference_t raw = nullptr;
  check(cublasLtMatmulPreferenceCreate(&raw));
  const Preference preference(raw);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t which, auto value) {
    check(cublasLtMatmulPreferenceSetAttribute(preference.get(), which, &value, sizeof value));
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(workspace_bytes_));
  // Without being told, the heuristics assume 256 bytes; a rank's rows and a 2-byte weight begin at less.
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, b_alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, a_alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, c_alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, c_alignment);
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  check(cublasLtMatmulAlgoGetHeuristic(cublas_.get(), plan.matmul.get(), plan.first.get(), plan.second.get(),
                                       plan.result.get(), plan.result.get(), preference.get(), 1, &found, &count));
  if (count == 0) {
    throw DeviceError(fmt::format("cuBLAS has no algorithm for a product {}x{}x{} in {}", d.M, d.N, d.K, name_of(ab)));
  }
  plan.algorithm = found.algo;
  return plan;
}

void GemmPlans::run(const GemmDesc& desc, DType ab, DType c, const void* a, const void* b, void* result) {
  GemmDesc shape = desc;  // factors do not choose the algorithm
  shape.alpha = 1;
  shape.beta = desc.beta == 0 ? 0 : 1;
  const Key key{shape, ab, c, alignment_of(a), alignment_of(b), alignment_of(result)};
  auto found = plans_.find(key);
  if (found == plans_.end()) found = plans_.emplace(key, build(key)).first;
  const Plan& plan = found->second;
  check(cublasLtMatmul(cublas_.get(), plan.matmul.get(), &desc.alpha, b, plan.first.get(), a, plan.second.get(),
                       &desc.beta, result, plan.result.get(), result, plan.result.get(), &plan.algorithm, workspace_,
                       workspace_bytes_, stream_));
}

}  // namespace barlow::cuda
