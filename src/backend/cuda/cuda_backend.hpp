// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <list>
#include <memory>
#include <vector>

#include "barlow/backend/backend.hpp"
#include "chunks.hpp"
#include "conv_plans.hpp"
#include "gemm_plans.hpp"
#include "handles.hpp"

namespace barlow::cuda {

struct CudaOptions {
  int device = 0;
  bool tf32 = false;           ///< kF32 convolutions and products may round their inputs to TF32
  bool deterministic = false;  ///< plans are not chosen by time
};

/// Operations on one GPU, in the order of one stream: convolutions by cuDNN, matrix products by cuBLASLt, everything
/// else by kernels of our own. With `deterministic`, equal runs on one device give the same bits; without, cuDNN may
/// choose plans that add in any order, and others at the next start.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options);
  ~CudaBackend() override;

  cudaStream_t stream() const { return stream_.get(); }

  std::string description() const override;
  std::string device_id() const override;
  DType preferred_dtype() const override;
  bool supports(DType dtype) const override;
  std::size_t reserved_bytes() const override {
    return workspace_.size_bytes() + parts_.size_bytes() + plans_.size_bytes() + filter_scratch_.front().size_bytes();
  }
  std::optional<std::size_t> free_bytes() const override;
  Buffer allocate(std::size_t size_bytes) override;
  Buffer allocate_staging(std::size_t size_bytes) override;
  void synchronize() override;
  bool can_record() const override { return true; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;
  int mark_input() override;
  void await_input(int mark) override;

 private:
  using In = ConstTensorView;
  using Out = TensorView;

  /// Scratch for the f64 parts of sums: used and done with inside one operation.
  double* parts() const { return static_cast<double*>(parts_.data()); }
  const ChunkTable& chunk_table(std::span<const LarsSegment> segments);
  ConvKey key_of(const Conv2dDesc& desc, ConvKind kind) const {
    return {desc, kind, options_.tf32, options_.deterministic};
  }
  void copy_from_host(In host, Out device, cudaStream_t stream);
  /// Scratch for a filter's gradient in 2 bytes: used and done with inside one operation.
  void* filter_scratch(std::size_t size_bytes);

  void do_copy_to_device(In host, Out device) override;
  void do_upload(In host, Out device) override;
  void do_copy_to_host(In device, Out host) override;
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

  CudaOptions options_;
  Stream stream_, input_stream_;
  std::array<Event, 4> input_marks_;  ///< the latest, which take turns
  int num_input_marks_ = 0;
  Buffer workspace_, parts_;
  Buffer plans_;                        ///< make_views' scratch, on the input's stream
  std::vector<Buffer> filter_scratch_;  ///< the last is in use; those before may be read by work that was begun
  GemmPlans gemms_;
  ConvPlans convs_;
  std::list<ChunkTable> chunks_;
};

}  // namespace barlow::cuda
