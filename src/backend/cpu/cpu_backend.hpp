// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "barlow/backend/backend.hpp"

namespace barlow::cpu {

class Primitives;

/// `oneDNN 2.6.3`: the library that is loaded.
std::string onednn_version();

/// Operations on host memory: convolutions and matrix products by oneDNN, everything else by loops of our own over a
/// fixed partition among OpenMP threads, so that a result depends on the number of threads only. Nothing is
/// asynchronous.
class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int num_threads);
  ~CpuBackend() override;

  std::string description() const override;
  DType preferred_dtype() const override;
  bool supports(DType dtype) const override;
  Buffer allocate(std::size_t size_bytes) override;
  Buffer allocate_staging(std::size_t size_bytes) override { return allocate(size_bytes); }
  void synchronize() override {}

 private:
  using In = ConstTensorView;
  using Out = TensorView;
  void do_copy_to_device(In host, Out device) override { do_copy(host, device); }
  void do_copy_to_host(In device, Out host) override { do_copy(device, host); }
  void do_copy(In from, Out to) override;
  void do_fill_zero(Out x) override;
  void do_cast(In from, Out to) override;
  void do_make_views(std::span<const pixels::ViewPlan> plans, In images, Out views) override;
  void do_normalize_images(In x, const std::array<float, 3>& mean, const std::array<float, 3>& std, Out y) override;
  void do_conv2d(const Conv2dDesc& desc, In x, In w, Out y) override;
  void do_conv2d_grad_input(const Conv2dDesc& desc, In dy, In w, Out dx) override;
  void do_conv2d_grad_filter(const Conv2dDesc& desc, In x, In dy, Out dw) override;
  void do_batch_norm_sums(const BatchNormDesc& desc, In x, Out sums) override;
  void do_batch_norm_statistics(In sums, double count, float eps, float momentum, Out mean, Out inv_std,
                                Out running_mean, Out running_var) override;
  void do_batch_norm_inference_statistics(In running_mean, In running_var, float eps, Out mean, Out inv_std) override;
  void do_batch_normalize(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In residual, Out y) override;
  void do_batch_norm_grad_sums(const BatchNormDesc& desc, In x, In y, const BatchNormMap& norm, Out dy, In dy_extra,
                               Out sums, Out dgamma, Out dbeta) override;
  void do_batch_norm_grad_input(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In dy, In sums, double count,
                                Out dx) override;
  void do_max_pool(const MaxPoolDesc& desc, In x, Out y, Out argmax) override;
  void do_max_pool_grad(const MaxPoolDesc& desc, In dy, In argmax, Out dx) override;
  void do_global_average_pool(In x, Out y) override;
  void do_global_average_pool_grad(In dy, Out dx) override;
  void do_gemm(const GemmDesc& desc, In a, In b, Out c) override;
  void do_add(In x, Out y) override;
  void do_column_dots(In a, In b, Out sums) override;
  void do_dot(In a, In b, Out sum) override;
  void do_multiply_columns(In x, In column, float beta, Out y) override;
  void do_barlow_terms(Out c, float lambda, float scale, Out terms) override;
  void do_barlow_gram_terms(In diagonal, In square, double count, float lambda, float scale, Out terms,
                            Out coefficient) override;
  void do_segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, In values, In gradients,
                        Out norms) override;
  void do_lars_update(std::span<const LarsSegment> segments, const LarsStep& step, In norms, Out values, In gradients,
                      Out momentum, Out compute) override;

  void multiply_unfolded(const Conv2dDesc& desc, In x, In w, bool transpose_w, Out y);
  void multiply_unfolded_for_filter(const Conv2dDesc& desc, In x, In dy, Out dw);

  int num_threads_;
  std::unique_ptr<Primitives> primitives_;
};

}  // namespace barlow::cpu
