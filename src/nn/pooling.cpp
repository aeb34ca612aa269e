// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/layers.hpp"

namespace barlow::nn {
namespace {
MaxPoolDesc describe(const Pass& pass, const Shape& x) {
  return {.N = x[0],
          .H = x[1],
          .W = x[2],
          .C = x[3],
          .window = 3,
          .stride = 2,
          .padding = 1,
          .dtype = pass.parameters.compute_dtype()};
}
}  // namespace

Activation MaxPool::forward(Pass& pass, const Activation& x) const {
  const MaxPoolDesc desc = describe(pass, x.shape());
  const Shape output{desc.N, desc.P(), desc.Q(), desc.C};
  Activation y = pass.allocate(output);
  const Activation argmax = pass.allocate(DType::kU8, output);
  pass.backend.max_pool(desc, x, y, argmax);
  pass.keep(argmax);
  pass.keep(Activation::of_shape(x.shape()));
  return y;
}

Activation MaxPool::backward(Pass& pass, const Activation& dy) const {
  const Activation x = pass.tape.pop();
  const Activation argmax = pass.tape.pop();
  Activation dx = pass.allocate(x.shape());
  pass.backend.max_pool_grad(describe(pass, x.shape()), dy, argmax, dx);
  return dx;
}

Activation GlobalAveragePool::forward(Pass& pass, const Activation& x) const {
  Activation y = pass.allocate({x.shape()[0], x.shape()[3]});
  pass.backend.global_average_pool(x, y);
  pass.keep(Activation::of_shape(x.shape()));
  return y;
}

Activation GlobalAveragePool::backward(Pass& pass, const Activation& dy) const {
  const Activation x = pass.tape.pop();
  Activation dx = pass.allocate(x.shape());
  pass.backend.global_average_pool_grad(dy, dx);
  return dx;
}

}  // namespace barlow::nn
