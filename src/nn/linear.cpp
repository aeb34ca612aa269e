// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/layers.hpp"

namespace barlow::nn {

Linear::Linear(ParameterLayout& layout, const std::string& name, std::int64_t in, std::int64_t out)
    : in_(in), out_(out), weight_(layout.add(name + ".weight", ParameterKind::kLinear, {out, in})) {}

Activation Linear::forward(Pass& pass, const Activation& x) const {
  const std::int64_t N = x.shape()[0];
  Activation y = pass.allocate({N, out_});
  pass.backend.gemm({.M = N, .N = out_, .K = in_, .transpose_b = true}, x, pass.parameters.compute(weight_), y);
  pass.keep(x);
  return y;
}

// dw = dy^T x, dx = dy w
Activation Linear::backward(Pass& pass, const Activation& dy) const {
  const Activation x = pass.tape.pop();
  const std::int64_t N = x.shape()[0];
  pass.backend.gemm({.M = out_, .N = in_, .K = N, .transpose_a = true}, dy, x, pass.parameters.gradient(weight_));
  pass.gradients_complete_from(weight_);
  Activation dx = pass.allocate({N, in_});
  pass.backend.gemm({.M = N, .N = in_, .K = out_}, dy, pass.parameters.compute(weight_), dx);
  return dx;
}

}  // namespace barlow::nn
