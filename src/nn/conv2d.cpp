// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/layers.hpp"

namespace barlow::nn {

Conv2d::Conv2d(ParameterLayout& layout, const std::string& name, std::int64_t in, std::int64_t out, int filter,
               int stride, int padding)
    : in_(in),
      out_(out),
      filter_(filter),
      stride_(stride),
      padding_(padding),
      weight_(layout.add(name + ".weight", ParameterKind::kConvolution, {out, filter, filter, in})) {}

Conv2dDesc Conv2d::describe(const Pass& pass, const Shape& x) const {
  return {x[0], x[1], x[2], in_, out_, filter_, filter_, stride_, padding_, pass.parameters.compute_dtype()};
}

Activation Conv2d::forward(Pass& pass, const Activation& x) const {
  const Conv2dDesc desc = describe(pass, x.shape());
  Activation y = pass.allocate({desc.N, desc.P(), desc.Q(), desc.K});
  pass.backend.conv2d(desc, x, pass.parameters.compute(weight_), y);
  pass.keep(x);
  return y;
}

Activation Conv2d::backward(Pass& pass, const Activation& dy) const {
  const Activation x = pass.tape.pop();
  const Conv2dDesc desc = describe(pass, x.shape());
  pass.backend.conv2d_grad_filter(desc, x, dy, pass.parameters.gradient(weight_));
  pass.gradients_complete_from(weight_);
  Activation dx = pass.allocate(x.shape());
  pass.backend.conv2d_grad_input(desc, dy, pass.parameters.compute(weight_), dx);
  return dx;
}

void Conv2d::backward_parameters(Pass& pass, const Activation& dy) const {
  const Activation x = pass.tape.pop();
  pass.backend.conv2d_grad_filter(describe(pass, x.shape()), x, dy, pass.parameters.gradient(weight_));
  pass.gradients_complete_from(weight_);
}

}  // namespace barlow::nn
