// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/backend/backend.hpp"

namespace barlow {

/// Allocates nothing and computes nothing.
class MeasuringBackend final : public Backend {
 public:
  explicit MeasuringBackend(DType preferred) : preferred_(preferred) {}
  std::string description() const override { return "nothing"; }
  DType preferred_dtype() const override { return preferred_; }
  bool supports(DType) const override { return true; }
  Buffer allocate(std::size_t size_bytes) override {
    return {nullptr, size_bytes, [](void*) noexcept {}};
  }
  Buffer allocate_staging(std::size_t size_bytes) override { return allocate(size_bytes); }
  void synchronize() override {}

 private:
  using In = ConstTensorView;
  using Out = TensorView;
  void do_copy_to_device(In, Out) override {}
  void do_copy_to_host(In, Out) override {}
  void do_copy(In, Out) override {}
  void do_fill_zero(Out) override {}
  void do_cast(In, Out) override {}
  void do_make_views(std::span<const pixels::ViewPlan>, In, Out) override {}
  void do_normalize_images(In, const std::array<float, 3>&, const std::array<float, 3>&, Out) override {}
  void do_conv2d(const Conv2dDesc&, In, In, Out) override {}
  void do_conv2d_grad_input(const Conv2dDesc&, In, In, Out) override {}
  void do_conv2d_grad_filter(const Conv2dDesc&, In, In, Out) override {}
  void do_batch_norm_sums(const BatchNormDesc&, In, Out) override {}
  void do_batch_norm_statistics(In, double, float, float, Out, Out, Out, Out) override {}
  void do_batch_norm_inference_statistics(In, In, float, Out, Out) override {}
  void do_batch_normalize(const BatchNormDesc&, In, const BatchNormMap&, In, Out) override {}
  void do_batch_norm_grad_sums(const BatchNormDesc&, In, In, const BatchNormMap&, Out, In, Out, Out, Out) override {}
  void do_batch_norm_grad_input(const BatchNormDesc&, In, const BatchNormMap&, In, In, double, Out) override {}
  void do_max_pool(const MaxPoolDesc&, In, Out, Out) override {}
  void do_max_pool_grad(const MaxPoolDesc&, In, In, Out) override {}
  void do_global_average_pool(In, Out) override {}
  void do_global_average_pool_grad(In, Out) override {}
  void do_gemm(const GemmDesc&, In, In, Out) override {}
  void do_add(In, Out) override {}
  void do_column_dots(In, In, Out) override {}
  void do_dot(In, In, Out) override {}
  void do_multiply_columns(In, In, float, Out) override {}
  void do_barlow_terms(Out, float, float, Out) override {}
  void do_barlow_gram_terms(In, In, double, float, float, Out, Out) override {}
  void do_segment_norms(std::span<const LarsSegment>, const LarsStep&, In, In, Out) override {}
  void do_lars_update(std::span<const LarsSegment>, const LarsStep&, In, Out, In, Out, Out) override {}

  DType preferred_;
};

}  // namespace barlow
