// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/layers.hpp"

namespace barlow::nn {
namespace {

/// [n,C] of every rank, one under the other.
Activation gather_rows(Pass& pass, const Activation& x) {
  Activation all = pass.allocate(x.view().dtype, {pass.collectives.world_size() * x.shape()[0], x.shape()[1]});
  pass.collectives.all_gather(x, all);
  return all;
}

}  // namespace

Linear::Linear(ParameterLayout& layout, const std::string& name, std::int64_t in, std::int64_t out)
    : in_(in), out_(out), weight_(layout.add(name + ".weight", ParameterKind::kLinear, {out, in})) {}

Activation Linear::forward(Pass& pass, const Activation& x) const {
  const std::int64_t N = x.shape()[0];
  Activation y = pass.allocate({N, out_});
  pass.backend.gemm({.M = N, .N = out_, .K = in_, .transpose_b = true}, x, pass.parameters.compute(weight_), y);
  pass.keep(x);
  return y;
}

void Linear::compute_gradient(Pass& pass, const Activation& x, const Activation& dy) const {
  const Parameter& weight = pass.parameters.layout().parameters()[static_cast<std::size_t>(weight_)];
  const TensorView gradient = pass.parameters.gradient(weight_);
  GemmDesc product{.M = weight.rows, .N = in_, .K = x.shape()[0], .transpose_a = true};
  if (!weight.is_sharded()) {
    pass.backend.gemm(product, dy, x, gradient);
    return;
  }
  const Activation all_x = gather_rows(pass, x), all_dy = gather_rows(pass, dy);
  product.K = all_x.shape()[0];
  product.row_stride_a = out_;
  const ConstTensorView columns =
      all_dy.view().reshaped({all_dy.shape().num_elements()}).slice(weight.first_row, product.a_elements());
  pass.backend.gemm(product, columns, all_x, gradient.slice(weight.first_row, weight.rows));
}

// dw = dy^T x, dx = dy w
Activation Linear::backward(Pass& pass, const Activation& dy) const {
  const Activation x = pass.tape.pop();
  const std::int64_t N = x.shape()[0];
  compute_gradient(pass, x, dy);
  pass.gradients_complete_from(weight_);
  Activation dx = pass.allocate({N, in_});
  pass.backend.gemm({.M = N, .N = in_, .K = out_}, dy, pass.parameters.compute(weight_), dx);
  return dx;
}

}  // namespace barlow::nn
