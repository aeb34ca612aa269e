// SPDX-License-Identifier: Apache-2.0
#include "barlow/backend/backend.hpp"

namespace barlow {
namespace {

/// Checks shapes of one operation; messages name it and the tensor.
class Check {
 public:
  explicit Check(const char* operation) : operation_(operation) {}

  const Check& shape(const char* tensor, const Shape& actual, const Shape& expected) const {
    if (!(actual == expected))
      fail(std::string(tensor) + " is " + actual.to_string() + ", expected " + expected.to_string());
    return *this;
  }
  const Check& dtype(const char* tensor, DType actual, DType expected) const {
    if (actual != expected) fail(std::string(tensor) + " is " + name_of(actual) + ", expected " + name_of(expected));
    return *this;
  }
  const Check& tensor(const char* tensor_name, ConstTensorView x, const Shape& expected, DType type) const {
    return shape(tensor_name, x.shape, expected).dtype(tensor_name, x.dtype, type);
  }
  /// Rows and columns however the outer extents are cut.
  const Check& elements(const char* tensor_name, ConstTensorView x, std::int64_t count, DType type) const {
    if (x.num_elements() != count)
      fail(std::string(tensor_name) + " is " + x.shape.to_string() + ", expected " + std::to_string(count) +
           " elements");
    return dtype(tensor_name, x.dtype, type);
  }
  const Check& optional(const char* tensor_name, ConstTensorView x, std::int64_t count, DType type) const {
    return x ? elements(tensor_name, x, count, type) : *this;
  }
  const Check& require(bool condition, const char* what) const {
    if (!condition) fail(what);
    return *this;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw ShapeError(std::string(operation_) + ": " + what); }

  const char* operation_;
};

void check_conv(const char* operation, const Conv2dDesc& d, ConstTensorView x, ConstTensorView w, DType w_dtype,
                ConstTensorView y) {
  Check(operation)
      .require(d.N > 0 && d.C > 0 && d.K > 0 && d.R > 0 && d.S > 0 && d.stride > 0 && d.padding >= 0,
               "extents must be positive")
      .require(d.H + 2 * d.padding >= d.R && d.W + 2 * d.padding >= d.S, "the filter is larger than the padded image")
      .tensor("x", x, {d.N, d.H, d.W, d.C}, d.dtype)
      .tensor("w", w, {d.K, d.R, d.S, d.C}, w_dtype)
      .tensor("y", y, {d.N, d.P(), d.Q(), d.K}, d.dtype);
}

std::int64_t elements_of(const BatchNormDesc& d) { return d.views * d.rows * d.channels; }

Check check_norm(const char* operation, const BatchNormDesc& d, ConstTensorView x, const BatchNormMap& norm) {
  const Check check(operation);
  check.require(d.views > 0 && d.rows > 0 && d.channels > 0, "extents must be positive")
      .elements("x", x, elements_of(d), d.dtype)
      .tensor("mean", norm.mean, {d.views, d.channels}, DType::kF32)
      .tensor("inv_std", norm.inv_std, {d.views, d.channels}, DType::kF32)
      .optional("gamma", norm.gamma, d.channels, DType::kF32)
      .optional("beta", norm.beta, d.channels, DType::kF32);
  return check;
}

}  // namespace

void Backend::copy_to_device(ConstTensorView host, TensorView device) {
  Check("copy_to_device").elements("device", device, host.num_elements(), host.dtype);
  do_copy_to_device(host, device);
}

void Backend::upload(ConstTensorView host, TensorView device) {
  Check("upload").elements("device", device, host.num_elements(), host.dtype);
  do_upload(host, device);
}

void Backend::copy_to_host(ConstTensorView device, TensorView host) {
  Check("copy_to_host").elements("host", host, device.num_elements(), device.dtype);
  do_copy_to_host(device, host);
}

void Backend::copy(ConstTensorView from, TensorView to) {
  Check("copy").elements("to", to, from.num_elements(), from.dtype);
  do_copy(from, to);
}

std::unique_ptr<Recording> Backend::record(const std::function<void()>&) {
  throw DeviceError(description() + " does not record");
}

void Backend::fill_zero(TensorView x) { do_fill_zero(x); }

void Backend::cast(ConstTensorView from, TensorView to) {
  Check("cast").elements("to", to, from.num_elements(), to.dtype);
  do_cast(from, to);
}

void Backend::make_views(std::span<const pixels::ViewPlan> plans, ConstTensorView images, TensorView views) {
  const Shape& s = views.shape;
  Check check("make_views");
  check.dtype("images", images.dtype, DType::kU8)
      .dtype("views", views.dtype, DType::kU8)
      .require(s.rank() == 5 && s[0] == 2 && s[2] == s[3] && s[4] == 3, "views must be [2,b,S,S,3]")
      .require(static_cast<std::int64_t>(plans.size()) == 2 * s[1], "a plan for each view");
  for (const pixels::ViewPlan& plan : plans)
    check.require(plan.is_possible(images.num_elements(), s[2]), "a plan asks for pixels that are not there");
  do_make_views(plans, images, views);
}

void Backend::normalize_images(ConstTensorView x, const std::array<float, 3>& mean, const std::array<float, 3>& std,
                               TensorView y) {
  Check("normalize_images")
      .dtype("x", x.dtype, DType::kU8)
      .require(x.shape.rank() > 0 && x.shape[x.shape.rank() - 1] == 3, "images have 3 channels")
      .shape("y", y.shape, x.shape);
  do_normalize_images(x, mean, std, y);
}

void Backend::conv2d(const Conv2dDesc& desc, ConstTensorView x, ConstTensorView w, TensorView y) {
  check_conv("conv2d", desc, x, w, desc.dtype, y);
  do_conv2d(desc, x, w, y);
}

void Backend::conv2d_grad_input(const Conv2dDesc& desc, ConstTensorView dy, ConstTensorView w, TensorView dx) {
  check_conv("conv2d_grad_input", desc, dx, w, desc.dtype, dy);
  do_conv2d_grad_input(desc, dy, w, dx);
}

void Backend::conv2d_grad_filter(const Conv2dDesc& desc, ConstTensorView x, ConstTensorView dy, TensorView dw) {
  check_conv("conv2d_grad_filter", desc, x, dw, DType::kF32, dy);
  do_conv2d_grad_filter(desc, x, dy, dw);
}

void Backend::batch_norm_sums(const BatchNormDesc& desc, ConstTensorView x, TensorView sums) {
  Check("batch_norm_sums")
      .elements("x", x, elements_of(desc), desc.dtype)
      .tensor("sums", sums, {desc.views, 2, desc.channels}, DType::kF64);
  do_batch_norm_sums(desc, x, sums);
}

void Backend::batch_norm_statistics(ConstTensorView sums, double count, float eps, float momentum, TensorView mean,
                                    TensorView inv_std, TensorView running_mean, TensorView running_var) {
  Check check("batch_norm_statistics");
  check.require(sums.shape.rank() == 3 && sums.shape[1] == 2 && sums.dtype == DType::kF64, "sums must be f64 [V,2,C]");
  const Shape per_view{sums.shape[0], sums.shape[2]};
  check.require(count >= 1, "count must be at least 1")
      .tensor("mean", mean, per_view, DType::kF32)
      .tensor("inv_std", inv_std, per_view, DType::kF32)
      .require(static_cast<bool>(running_mean) == static_cast<bool>(running_var),
               "give both running statistics or none")
      .optional("running_mean", running_mean, sums.shape[2], DType::kF32)
      .optional("running_var", running_var, sums.shape[2], DType::kF32);
  do_batch_norm_statistics(sums, count, eps, momentum, mean, inv_std, running_mean, running_var);
}

void Backend::batch_norm_inference_statistics(ConstTensorView running_mean, ConstTensorView running_var, float eps,
                                              TensorView mean, TensorView inv_std) {
  const std::int64_t C = running_mean.num_elements();
  Check("batch_norm_inference_statistics")
      .elements("running_var", running_var, C, DType::kF32)
      .tensor("mean", mean, {1, C}, DType::kF32)
      .tensor("inv_std", inv_std, {1, C}, DType::kF32);
  do_batch_norm_inference_statistics(running_mean, running_var, eps, mean, inv_std);
}

void Backend::batch_normalize(const BatchNormDesc& desc, ConstTensorView x, const BatchNormMap& norm,
                              ConstTensorView residual, TensorView y) {
  check_norm("batch_normalize", desc, x, norm)
      .optional("residual", residual, elements_of(desc), desc.y_dtype)
      .elements("y", y, elements_of(desc), desc.y_dtype);
  do_batch_normalize(desc, x, norm, residual, y);
}

void Backend::batch_norm_grad_sums(const BatchNormDesc& desc, ConstTensorView x, ConstTensorView y,
                                   const BatchNormMap& norm, TensorView dy, ConstTensorView dy_extra, TensorView sums,
                                   TensorView dgamma, TensorView dbeta) {
  check_norm("batch_norm_grad_sums", desc, x, norm)
      .optional("y", y, elements_of(desc), desc.y_dtype)
      .elements("dy", dy, elements_of(desc), desc.y_dtype)
      .optional("dy_extra", dy_extra, elements_of(desc), desc.y_dtype)
      .require(desc.residual || !dy_extra, "dy_extra is for norms with a residual")
      .tensor("sums", sums, {desc.views, 2, desc.channels}, DType::kF64)
      .optional("dgamma", dgamma, desc.channels, DType::kF32)
      .optional("dbeta", dbeta, desc.channels, DType::kF32);
  do_batch_norm_grad_sums(desc, x, y, norm, dy, dy_extra, sums, dgamma, dbeta);
}

void Backend::batch_norm_grad_input(const BatchNormDesc& desc, ConstTensorView x, const BatchNormMap& norm,
                                    ConstTensorView dy, ConstTensorView sums, double count, TensorView dx) {
  check_norm("batch_norm_grad_input", desc, x, norm)
      .elements("dy", dy, elements_of(desc), desc.y_dtype)
      .tensor("sums", sums, {desc.views, 2, desc.channels}, DType::kF64)
      .elements("dx", dx, elements_of(desc), desc.dtype);
  do_batch_norm_grad_input(desc, x, norm, dy, sums, count, dx);
}

void Backend::max_pool(const MaxPoolDesc& desc, ConstTensorView x, TensorView y, TensorView argmax) {
  const Shape output{desc.N, desc.P(), desc.Q(), desc.C};
  Check("max_pool")
      .tensor("x", x, {desc.N, desc.H, desc.W, desc.C}, desc.dtype)
      .tensor("y", y, output, desc.dtype)
      .tensor("argmax", argmax, output, DType::kU8);
  do_max_pool(desc, x, y, argmax);
}

void Backend::max_pool_grad(const MaxPoolDesc& desc, ConstTensorView dy, ConstTensorView argmax, TensorView dx) {
  const Shape output{desc.N, desc.P(), desc.Q(), desc.C};
  Check("max_pool_grad")
      .tensor("dy", dy, output, desc.dtype)
      .tensor("argmax", argmax, output, DType::kU8)
      .tensor("dx", dx, {desc.N, desc.H, desc.W, desc.C}, desc.dtype);
  do_max_pool_grad(desc, dy, argmax, dx);
}

void Backend::global_average_pool(ConstTensorView x, TensorView y) {
  Check("global_average_pool")
      .require(x.shape.rank() == 4, "x must be [N,H,W,C]")
      .tensor("y", y, {x.shape[0], x.shape[3]}, x.dtype);
  do_global_average_pool(x, y);
}

void Backend::global_average_pool_grad(ConstTensorView dy, TensorView dx) {
  Check("global_average_pool_grad")
      .require(dx.shape.rank() == 4, "dx must be [N,H,W,C]")
      .tensor("dy", dy, {dx.shape[0], dx.shape[3]}, dx.dtype);
  do_global_average_pool_grad(dy, dx);
}

void Backend::gemm(const GemmDesc& desc, ConstTensorView a, ConstTensorView b, TensorView c) {
  Check check("gemm");
  check.elements("a", a, desc.a_elements(), a.dtype)
      .elements("b", b, desc.K * desc.N, a.dtype)
      .elements("c", c, desc.M * desc.N, c.dtype);
  check.require(c.dtype == a.dtype || c.dtype == DType::kF32, "c must have the type of a and b, or fp32");
  do_gemm(desc, a, b, c);
}

void Backend::add(ConstTensorView x, TensorView y) {
  Check("add").tensor("y", y, x.shape, x.dtype);
  do_add(x, y);
}

void Backend::column_dots(ConstTensorView a, ConstTensorView b, TensorView sums) {
  Check("column_dots")
      .require(a.shape.rank() == 2, "a must be [N,D]")
      .dtype("a", a.dtype, DType::kF32)
      .tensor("b", b, a.shape, DType::kF32)
      .tensor("sums", sums, {a.shape[1]}, DType::kF64);
  do_column_dots(a, b, sums);
}

void Backend::dot(ConstTensorView a, ConstTensorView b, TensorView sum) {
  Check("dot")
      .dtype("a", a.dtype, DType::kF32)
      .tensor("b", b, a.shape, DType::kF32)
      .elements("sum", sum, 1, DType::kF64);
  do_dot(a, b, sum);
}

void Backend::multiply_columns(ConstTensorView x, ConstTensorView column, float beta, TensorView y) {
  Check("multiply_columns")
      .require(x.shape.rank() == 2, "x must be [N,D]")
      .tensor("column", column, {x.shape[1]}, DType::kF32)
      .tensor("y", y, x.shape, DType::kF32);
  do_multiply_columns(x, column, beta, y);
}

void Backend::barlow_terms(TensorView c, float lambda, float scale, TensorView terms) {
  Check("barlow_terms")
      .require(c.shape.rank() == 2 && c.shape[0] == c.shape[1], "c must be [D,D]")
      .dtype("c", c.dtype, DType::kF32)
      .tensor("terms", terms, {2}, DType::kF64);
  do_barlow_terms(c, lambda, scale, terms);
}

void Backend::barlow_gram_terms(ConstTensorView diagonal, ConstTensorView square, double count, float lambda,
                                float scale, TensorView terms, TensorView coefficient) {
  Check("barlow_gram_terms")
      .dtype("diagonal", diagonal.dtype, DType::kF64)
      .elements("square", square, 1, DType::kF64)
      .tensor("terms", terms, {2}, DType::kF64)
      .elements("coefficient", coefficient, diagonal.num_elements(), DType::kF32);
  do_barlow_gram_terms(diagonal, square, count, lambda, scale, terms, coefficient);
}

void Backend::segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, ConstTensorView values,
                            ConstTensorView gradients, TensorView norms) {
  Check("segment_norms")
      .tensor("gradients", gradients, values.shape, DType::kF32)
      .tensor("norms", norms, {static_cast<std::int64_t>(segments.size()), 2}, DType::kF64);
  do_segment_norms(segments, step, values, gradients, norms);
}

void Backend::lars_update(std::span<const LarsSegment> segments, const LarsStep& step, ConstTensorView norms,
                          TensorView values, ConstTensorView gradients, TensorView momentum, TensorView compute) {
  Check("lars_update")
      .tensor("norms", norms, {static_cast<std::int64_t>(segments.size()), 2}, DType::kF64)
      .tensor("gradients", gradients, values.shape, DType::kF32)
      .tensor("momentum", momentum, values.shape, DType::kF32);
  if (compute)
    Check("lars_update")
        .shape("compute", compute.shape, values.shape)
        .require(supports(compute.dtype), "this device does not compute in the type of `compute`");
  do_lars_update(segments, step, norms, values, gradients, momentum, compute);
}

}  // namespace barlow
