// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "barlow/backend/op_descriptors.hpp"
#include "barlow/backend/recording.hpp"
#include "barlow/pixels/view_plan.hpp"
#include "barlow/tensor/buffer.hpp"
#include "barlow/tensor/view.hpp"

namespace barlow {

/// Runs tensor operations on one device. Chosen once, in main(); knows nothing of other ranks.
///
/// Tensors are dense and row-major, images NHWC, filters [K,R,S,C], matrices of linear layers [out,in]; they lie in the
/// device's memory unless said otherwise. An optional tensor that is not there is an empty view. Calls are asynchronous
/// and run in the order they were made; synchronize() and copy_to_host() wait. Outputs may not overlap inputs unless
/// said otherwise. Every public operation checks its shapes (ShapeError) and then calls the device's own. A device
/// library that refuses throws DeviceError.
class Backend {
 public:
  virtual ~Backend() = default;

  /// For people: `CPU, 2 threads, oneDNN 2.6.3`.
  virtual std::string description() const = 0;
  /// Which device of its host this is; empty if it computes in the host's memory.
  virtual std::string device_id() const { return ""; }
  /// The precision this device does best: kBF16 where it has matrix units for it, else kF32.
  virtual DType preferred_dtype() const = 0;
  /// True if activations may be of that type.
  virtual bool supports(DType dtype) const = 0;
  /// Device memory that the backend keeps for itself.
  virtual std::size_t reserved_bytes() const { return 0; }
  /// Device memory that nobody has taken; nothing where a device computes in the host's.
  virtual std::optional<std::size_t> free_bytes() const { return std::nullopt; }

  // --- memory -------------------------------------------------------------------------------------------------------
  /// Uninitialised device memory, 256-byte aligned. @throws DeviceError when there is not enough.
  virtual Buffer allocate(std::size_t size_bytes) = 0;
  /// Uninitialised host memory from which copies to the device are fast.
  virtual Buffer allocate_staging(std::size_t size_bytes) = 0;
  /// Host memory of allocate_staging() stays as it is until the device is waited for; other memory may go at once.
  void copy_to_device(ConstTensorView host, TensorView device);
  /// Waits until `host` holds the values.
  void copy_to_host(ConstTensorView device, TensorView host);
  void copy(ConstTensorView from, TensorView to);
  void fill_zero(TensorView x);
  /// Converts between kF32, kBF16, kF16 (round to nearest even).
  void cast(ConstTensorView from, TensorView to);
  virtual void synchronize() = 0;

  // --- recording ----------------------------------------------------------------------------------------------------
  /// True if record() may succeed.
  virtual bool can_record() const { return false; }
  /// Records what `work` asks of this device, and of others' streams in order with it, instead of doing it. `work` may
  /// not wait for the device or copy between it and the host, and has been done before: what the first time makes
  /// (plans, tables) is there. The memory that it uses stays where it is.
  /// @throws DeviceError if the device refuses; what `work` throws
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work);

  // --- input --------------------------------------------------------------------------------------------------------
  // A batch is brought in beside all other operations, by upload() and make_views() in the order of the calls; what is
  // called after await_input() sees it. The caller has waited for what uses the memory that they write. Staging memory
  // that they read stays until the device is waited for behind await_input(); other host memory may go at once.
  void upload(ConstTensorView host, TensorView device);
  /// Makes the views of a batch, u8 [2,b,S,S,3], from decoded images, u8 [n] of device memory, bit for bit as
  /// data::apply does. plans, [2b] in the order of the views, lie on the host.
  void make_views(std::span<const pixels::ViewPlan> plans, ConstTensorView images, TensorView views);
  /// Stands for all input so far. One of the latest four marks can be awaited, which is asynchronous.
  virtual int mark_input() { return 0; }
  virtual void await_input(int /*mark*/) {}
  /// y = (x / 255 - mean) / std per channel: u8 [..., 3] -> compute type, same shape.
  void normalize_images(ConstTensorView x, const std::array<float, 3>& mean, const std::array<float, 3>& std,
                        TensorView y);

  // --- convolution --------------------------------------------------------------------------------------------------
  void conv2d(const Conv2dDesc& desc, ConstTensorView x, ConstTensorView w, TensorView y);
  void conv2d_grad_input(const Conv2dDesc& desc, ConstTensorView dy, ConstTensorView w, TensorView dx);
  /// dw is f32 [K,R,S,C], written, not accumulated.
  void conv2d_grad_filter(const Conv2dDesc& desc, ConstTensorView x, ConstTensorView dy, TensorView dw);

  // --- batch norm, cut where ranks exchange numbers -----------------------------------------------------------------
  /// sums f64 [V,2,C]: per view and channel the sum and the sum of squares of x [V,rows,C].
  void batch_norm_sums(const BatchNormDesc& desc, ConstTensorView x, TensorView sums);
  /// From sums over `count` values per view and channel (all ranks): mean f32 [V,C] and inv_std = 1/sqrt(var + eps)
  /// f32 [V,C] with biased variance; then running_mean and running_var f32 [C], if given, are moved towards view 0's
  /// and then view 1's statistics by `momentum`, with unbiased variance.
  void batch_norm_statistics(ConstTensorView sums, double count, float eps, float momentum, TensorView mean,
                             TensorView inv_std, TensorView running_mean, TensorView running_var);
  /// mean and inv_std f32 [1,C] for evaluation, from the running statistics.
  void batch_norm_inference_statistics(ConstTensorView running_mean, ConstTensorView running_var, float eps,
                                       TensorView mean, TensorView inv_std);
  /// y = relu?((x - mean) * inv_std * gamma + beta + residual). residual [V,rows,C] may be empty.
  void batch_normalize(const BatchNormDesc& desc, ConstTensorView x, const BatchNormMap& norm, ConstTensorView residual,
                       TensorView y);
  /// With dz = (dy + dy_extra) where the output was positive (everywhere without ReLU; dy_extra may be empty):
  /// sums f64 [V,2,C] = (sum dz, sum dz*xhat), xhat = (x - mean) * inv_std, and, if given, this rank's dgamma and dbeta
  /// f32 [C], summed over the views. With desc.residual, y (the output of batch_normalize) must be given and dz is
  /// written over dy, because it is the residual's gradient; otherwise y and dy_extra are empty, the mask is computed
  /// from x, and dy is only read.
  void batch_norm_grad_sums(const BatchNormDesc& desc, ConstTensorView x, ConstTensorView y, const BatchNormMap& norm,
                            TensorView dy, ConstTensorView dy_extra, TensorView sums, TensorView dgamma,
                            TensorView dbeta);
  /// dx = gamma * inv_std * (dz - (sum dz)/count - xhat * (sum dz*xhat)/count), with sums over all ranks and `count` as
  /// in batch_norm_statistics. dy as batch_norm_grad_sums left it. dx may be dy when their types are the same.
  void batch_norm_grad_input(const BatchNormDesc& desc, ConstTensorView x, const BatchNormMap& norm, ConstTensorView dy,
                             ConstTensorView sums, double count, TensorView dx);

  // --- pooling ------------------------------------------------------------------------------------------------------
  /// argmax u8 [N,P,Q,C]: position r*window+s of the first maximum in its window.
  void max_pool(const MaxPoolDesc& desc, ConstTensorView x, TensorView y, TensorView argmax);
  void max_pool_grad(const MaxPoolDesc& desc, ConstTensorView dy, ConstTensorView argmax, TensorView dx);
  /// x [N,H,W,C] -> y [N,C].
  void global_average_pool(ConstTensorView x, TensorView y);
  void global_average_pool_grad(ConstTensorView dy, TensorView dx);

  // --- matrices and pointwise ---------------------------------------------------------------------------------------
  /// a and b of one type (kF32, kBF16 or kF16), c of that type or f32; sums are f32.
  void gemm(const GemmDesc& desc, ConstTensorView a, ConstTensorView b, TensorView c);
  /// y += x, same type and shape.
  void add(ConstTensorView x, TensorView y);

  // --- Barlow Twins loss (ssl/barlow_twins.hpp has the formulas) ----------------------------------------------------
  /// sums f64 [D]: sum over n of a[n,i]*b[n,i]; a, b f32 [N,D].
  void column_dots(ConstTensorView a, ConstTensorView b, TensorView sums);
  /// sum f64 [1] of a*b over all elements, f32.
  void dot(ConstTensorView a, ConstTensorView b, TensorView sum);
  /// y[n,i] = beta * y[n,i] + x[n,i] * column[i]; x, y f32 [N,D], column f32 [D].
  void multiply_columns(ConstTensorView x, ConstTensorView column, float beta, TensorView y);
  /// The direct form: c f32 [D,D] becomes dL/dC * scale in place; terms f64 [2] = (sum (1-C_ii)^2, lambda * sum C_ij^2,
  /// i != j).
  void barlow_terms(TensorView c, float lambda, float scale, TensorView terms);
  /// The Gram form: from diagonal f64 [D] = count * C_ii and square f64 [1] = sum of all C_ij^2, the same terms and
  /// coefficient f32 [D] = scale / count * (-2 (1 - C_ii) - 2 lambda C_ii).
  void barlow_gram_terms(ConstTensorView diagonal, ConstTensorView square, double count, float lambda, float scale,
                         TensorView terms, TensorView coefficient);

  // --- optimiser ----------------------------------------------------------------------------------------------------
  /// norms f64 [num_segments,2]: squared norms of values and of gradients / loss_scale + weight_decay*values (adapted
  /// segments) or of gradients / loss_scale (others); of `step`, only these two numbers count. values, gradients f32
  /// flat.
  void segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, ConstTensorView values,
                     ConstTensorView gradients, TensorView norms);
  /// One LARS step in place, with the norms of segment_norms; `compute`, if given, receives the new values in its type.
  void lars_update(std::span<const LarsSegment> segments, const LarsStep& step, ConstTensorView norms,
                   TensorView values, ConstTensorView gradients, TensorView momentum, TensorView compute);

 private:
  using In = ConstTensorView;
  using Out = TensorView;
  virtual void do_copy_to_device(In host, Out device) = 0;
  virtual void do_upload(In host, Out device) { do_copy_to_device(host, device); }
  virtual void do_copy_to_host(In device, Out host) = 0;
  virtual void do_copy(In from, Out to) = 0;
  virtual void do_fill_zero(Out x) = 0;
  virtual void do_cast(In from, Out to) = 0;
  virtual void do_make_views(std::span<const pixels::ViewPlan> plans, In images, Out views) = 0;
  virtual void do_normalize_images(In x, const std::array<float, 3>& mean, const std::array<float, 3>& std, Out y) = 0;
  virtual void do_conv2d(const Conv2dDesc& desc, In x, In w, Out y) = 0;
  virtual void do_conv2d_grad_input(const Conv2dDesc& desc, In dy, In w, Out dx) = 0;
  virtual void do_conv2d_grad_filter(const Conv2dDesc& desc, In x, In dy, Out dw) = 0;
  virtual void do_batch_norm_sums(const BatchNormDesc& desc, In x, Out sums) = 0;
  virtual void do_batch_norm_statistics(In sums, double count, float eps, float momentum, Out mean, Out inv_std,
                                        Out running_mean, Out running_var) = 0;
  virtual void do_batch_norm_inference_statistics(In running_mean, In running_var, float eps, Out mean,
                                                  Out inv_std) = 0;
  virtual void do_batch_normalize(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In residual, Out y) = 0;
  virtual void do_batch_norm_grad_sums(const BatchNormDesc& desc, In x, In y, const BatchNormMap& norm, Out dy,
                                       In dy_extra, Out sums, Out dgamma, Out dbeta) = 0;
  virtual void do_batch_norm_grad_input(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In dy, In sums,
                                        double count, Out dx) = 0;
  virtual void do_max_pool(const MaxPoolDesc& desc, In x, Out y, Out argmax) = 0;
  virtual void do_max_pool_grad(const MaxPoolDesc& desc, In dy, In argmax, Out dx) = 0;
  virtual void do_global_average_pool(In x, Out y) = 0;
  virtual void do_global_average_pool_grad(In dy, Out dx) = 0;
  virtual void do_gemm(const GemmDesc& desc, In a, In b, Out c) = 0;
  virtual void do_add(In x, Out y) = 0;
  virtual void do_column_dots(In a, In b, Out sums) = 0;
  virtual void do_dot(In a, In b, Out sum) = 0;
  virtual void do_multiply_columns(In x, In column, float beta, Out y) = 0;
  virtual void do_barlow_terms(Out c, float lambda, float scale, Out terms) = 0;
  virtual void do_barlow_gram_terms(In diagonal, In square, double count, float lambda, float scale, Out terms,
                                    Out coefficient) = 0;
  virtual void do_segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, In values, In gradients,
                                Out norms) = 0;
  virtual void do_lars_update(std::span<const LarsSegment> segments, const LarsStep& step, In norms, Out values,
                              In gradients, Out momentum, Out compute) = 0;
};

}  // namespace barlow
