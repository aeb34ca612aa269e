// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "barlow/nn/pass.hpp"

/// Layers have two functions, forward and backward, written beside each other. Activations are [N,H,W,C] or [N,C] in
/// the compute type unless said otherwise; in a Pass of V views the outermost N = V * images of this rank. backward
/// takes dL/dy of the latest forward not yet gone back through, writes the parameters' gradients of this rank and
/// returns dL/dx.
namespace barlow::nn {

/// Convolution without bias, square filter.
class Conv2d {
 public:
  Conv2d(ParameterLayout& layout, const std::string& name, std::int64_t in, std::int64_t out, int filter, int stride,
         int padding);

  Activation forward(Pass& pass, const Activation& x) const;
  Activation backward(Pass& pass, const Activation& dy) const;
  /// For the first layer: the parameters' gradients only.
  void backward_parameters(Pass& pass, const Activation& dy) const;

 private:
  Conv2dDesc describe(const Pass& pass, const Shape& x) const;

  std::int64_t in_, out_;
  int filter_, stride_, padding_;
  int weight_;
};

/// Fully connected layer without bias: y = x w^T, [N,in] -> [N,out].
class Linear {
 public:
  Linear(ParameterLayout& layout, const std::string& name, std::int64_t in, std::int64_t out);

  Activation forward(Pass& pass, const Activation& x) const;
  /// Collective where the weight is sharded.
  Activation backward(Pass& pass, const Activation& dy) const;

 private:
  void compute_gradient(Pass& pass, const Activation& x, const Activation& dy) const;

  std::int64_t in_, out_;
  int weight_;
};

/// Batch norm over all ranks with statistics per view, a residual added and a ReLU after it where asked: one pass over
/// memory. Collective in training. (Ioffe and Szegedy 2015; eps 1e-5, biased variance, running variance unbiased.)
class BatchNorm {
 public:
  enum class Affine { kNo, kYes };
  BatchNorm(ParameterLayout& layout, const std::string& name, std::int64_t channels, Affine affine = Affine::kYes);

  struct Options {
    bool relu = false;
    DType output = DType::kF32;  ///< of y, dy and residual
  };
  /// @param residual  added before the ReLU; may be empty
  Activation forward(Pass& pass, const Activation& x, const Activation& residual, Options options) const;
  /// dy is overwritten when there was a residual: it then is the residual's gradient.
  /// @param dy_extra  a second gradient of the same output, added to dy; only where there was a residual; may be empty
  Activation backward(Pass& pass, const Activation& dy, const Activation& dy_extra, bool residual,
                      Options options) const;

 private:
  BatchNormDesc describe(const Pass& pass, const Shape& x, bool residual, Options options) const;
  ConstTensorView gamma(const Pass& pass) const;
  ConstTensorView beta(const Pass& pass) const;

  std::int64_t channels_;
  int gamma_ = -1, beta_ = -1;
  int running_mean_, running_var_;
};

/// 3x3, stride 2, padding 1.
class MaxPool {
 public:
  Activation forward(Pass& pass, const Activation& x) const;
  Activation backward(Pass& pass, const Activation& dy) const;
};

/// [N,H,W,C] -> [N,C].
class GlobalAveragePool {
 public:
  Activation forward(Pass& pass, const Activation& x) const;
  Activation backward(Pass& pass, const Activation& dy) const;
};

}  // namespace barlow::nn
