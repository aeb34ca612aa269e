// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "barlow/backend/make_backend.hpp"
#include "barlow/comm/collectives.hpp"

namespace barlow::testing {

/// A GPU for tests, made of a processor, as unforgiving as a real one. The host cannot touch its memory: an access ends
/// the program. Operations run late, in order, when somebody waits; page-locked host memory is read then, too, and not
/// when the copy was asked for. Input comes later still: when operations wait for it.
class FakeDevice final : public Backend {
 public:
  FakeDevice();
  ~FakeDevice() override;

  /// Work in the device's order, which sees memory through at().
  void enqueue(std::function<void()> work);
  /// Device memory as the processor may touch it, inside enqueued work only.
  static TensorView at(TensorView x);
  static ConstTensorView at(ConstTensorView x);
  static BatchNormMap at(const BatchNormMap& x);

  std::int64_t num_recordings = 0, num_replays = 0;
  bool refuses_to_record = false;  ///< as a driver may, at the end of a recording

  std::string description() const override { return "a fake device"; }
  std::string device_id() const override { return "fake"; }
  DType preferred_dtype() const override { return DType::kF32; }
  bool supports(DType dtype) const override { return processor_->supports(dtype); }
  Buffer allocate(std::size_t size_bytes) override;
  Buffer allocate_staging(std::size_t size_bytes) override;
  void synchronize() override;
  bool can_record() const override { return true; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;
  int mark_input() override { return static_cast<int>(num_inputs_); }
  void await_input(int mark) override;

 private:
  void bring(std::function<void()> input);

  using In = ConstTensorView;
  using Out = TensorView;
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

  std::unique_ptr<Backend> processor_;
  std::vector<std::function<void()>> queue_;
  std::deque<std::function<void()>> input_;                 ///< asked for and not done
  std::size_t num_inputs_ = 0;                              ///< asked for
  std::vector<std::function<void()>>* recorded_ = nullptr;  ///< where operations go while they are recorded
};

/// Exchanges of a fake device's tensors, in the device's order; `host` does them. Sums that are begun are as good as
/// done when the device gets there.
class FakeDeviceCollectives final : public Collectives {
 public:
  /// Both outlive it.
  FakeDeviceCollectives(Collectives& host, FakeDevice& device) : host_(host), device_(device) {}

  int rank() const override { return host_.rank(); }
  int world_size() const override { return host_.world_size(); }
  bool can_be_recorded() const override { return true; }
  void all_reduce_sum(TensorView values) override {
    device_.enqueue([this, values] { host_.all_reduce_sum(FakeDevice::at(values)); });
  }
  void all_gather(ConstTensorView local, TensorView gathered) override {
    device_.enqueue([this, local, gathered] { host_.all_gather(FakeDevice::at(local), FakeDevice::at(gathered)); });
  }
  void broadcast(TensorView values) override {
    device_.enqueue([this, values] { host_.broadcast(FakeDevice::at(values)); });
  }
  void begin_all_reduce_sum(TensorView values) override { all_reduce_sum(values); }
  void progress() override {}
  void finish() override {}

 private:
  Collectives& host_;
  FakeDevice& device_;
};

}  // namespace barlow::testing
