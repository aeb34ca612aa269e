// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/layers.hpp"

namespace barlow::nn {
namespace {
constexpr float kEpsilon = 1e-5F;
}

BatchNorm::BatchNorm(ParameterLayout& layout, const std::string& name, std::int64_t channels, Affine affine)
    : channels_(channels) {
  if (affine == Affine::kYes) {
    gamma_ = layout.add(name + ".weight", ParameterKind::kNormScale, {channels});
    beta_ = layout.add(name + ".bias", ParameterKind::kNormShift, {channels});
  }
  running_mean_ = layout.add(name + ".running_mean", ParameterKind::kRunningMean, {channels});
  running_var_ = layout.add(name + ".running_var", ParameterKind::kRunningVar, {channels});
}

BatchNormDesc BatchNorm::describe(const Pass& pass, const Shape& x, bool residual, Options options) const {
  const std::int64_t views = pass.training ? pass.views : 1;
  return {.views = views,
          .rows = x.num_elements() / channels_ / views,
          .channels = channels_,
          .relu = options.relu,
          .residual = residual,
          .dtype = pass.parameters.compute_dtype(),
          .y_dtype = options.output};
}

ConstTensorView BatchNorm::gamma(const Pass& pass) const {
  return gamma_ < 0 ? ConstTensorView() : ConstTensorView(pass.parameters.value(gamma_));
}

ConstTensorView BatchNorm::beta(const Pass& pass) const {
  return beta_ < 0 ? ConstTensorView() : ConstTensorView(pass.parameters.value(beta_));
}

Activation BatchNorm::forward(Pass& pass, const Activation& x, const Activation& residual, Options options) const {
  const BatchNormDesc desc = describe(pass, x.shape(), static_cast<bool>(residual), options);
  const Activation mean = pass.allocate(DType::kF32, {desc.views, channels_});
  const Activation inv_std = pass.allocate(DType::kF32, {desc.views, channels_});
  if (pass.training) {
    const Activation sums = pass.allocate(DType::kF64, {desc.views, 2, channels_});
    pass.backend.batch_norm_sums(desc, x, sums);
    pass.collectives.all_reduce_sum(sums);
    const double count = static_cast<double>(desc.rows) * pass.collectives.world_size();
    pass.backend.batch_norm_statistics(sums, count, kEpsilon, pass.norm_momentum, mean, inv_std,
                                       pass.parameters.buffer(running_mean_), pass.parameters.buffer(running_var_));
  } else {
    pass.backend.batch_norm_inference_statistics(pass.parameters.buffer(running_mean_),
                                                 pass.parameters.buffer(running_var_), kEpsilon, mean, inv_std);
  }
  Activation y = pass.allocate(options.output, x.shape());
  pass.backend.batch_normalize(desc, x, {mean, inv_std, gamma(pass), beta(pass)}, residual, y);
  pass.keep(x);
  pass.keep(mean);
  pass.keep(inv_std);
  if (desc.residual) pass.keep(y);
  return y;
}

Activation BatchNorm::backward(Pass& pass, const Activation& dy, const Activation& dy_extra, bool residual,
                               Options options) const {
  const Activation y = residual ? pass.tape.pop() : Activation();
  const Activation inv_std = pass.tape.pop();
  const Activation mean = pass.tape.pop();
  const Activation x = pass.tape.pop();
  const BatchNormDesc desc = describe(pass, x.shape(), residual, options);

  const Activation sums = pass.allocate(DType::kF64, {desc.views, 2, channels_});
  const bool affine = gamma_ >= 0;
  const BatchNormMap norm{mean, inv_std, gamma(pass), beta(pass)};
  pass.backend.batch_norm_grad_sums(desc, x, y, norm, dy, dy_extra, sums,
                                    affine ? pass.parameters.gradient(gamma_) : TensorView(),
                                    affine ? pass.parameters.gradient(beta_) : TensorView());
  pass.collectives.all_reduce_sum(sums);
  const double count = static_cast<double>(desc.rows) * pass.collectives.world_size();
  Activation dx = pass.allocate(x.shape());
  pass.backend.batch_norm_grad_input(desc, x, norm, dy, sums, count, dx);
  return dx;
}

}  // namespace barlow::nn
