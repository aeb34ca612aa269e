// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>

#include "barlow/backend/op_descriptors.hpp"
#include "support/compare.hpp"

/// Every operation of barlow/backend/backend.hpp as naive loops in double, from its definition: the oracle. Nobody
/// optimises it. Layouts are the backend's; an optional tensor that is not there is empty.
namespace barlow::reference {

using testing::Values;

Values conv2d(const Conv2dDesc& d, const Values& x, const Values& w);
Values conv2d_grad_input(const Conv2dDesc& d, const Values& dy, const Values& w);
Values conv2d_grad_filter(const Conv2dDesc& d, const Values& x, const Values& dy);

Values batch_norm_sums(const BatchNormDesc& d, const Values& x);

struct Statistics {
  Values mean, inv_std, running_mean, running_var;
};
Statistics batch_norm_statistics(const BatchNormDesc& d, const Values& sums, double count, double eps, double momentum,
                                 Values running_mean, Values running_var);
Values batch_normalize(const BatchNormDesc& d, const Values& x, const Statistics& s, const Values& gamma,
                       const Values& beta, const Values& residual);

struct NormGradients {
  Values dz, sums, dgamma, dbeta;
};
/// The ReLU's mask is taken from y, the output of batch_normalize.
NormGradients batch_norm_grad_sums(const BatchNormDesc& d, const Values& x, const Values& y, const Statistics& s,
                                   const Values& dy, const Values& dy_extra);
Values batch_norm_grad_input(const BatchNormDesc& d, const Values& x, const Statistics& s, const Values& gamma,
                             const NormGradients& g, double count);

struct Pooled {
  Values y, argmax;
};
Pooled max_pool(const MaxPoolDesc& d, const Values& x);
Values max_pool_grad(const MaxPoolDesc& d, const Values& dy, const Values& argmax);
Values global_average_pool(const Shape& x_shape, const Values& x);
Values global_average_pool_grad(const Shape& x_shape, const Values& dy);

Values gemm(const GemmDesc& d, const Values& a, const Values& b, Values c);
Values normalize_images(const Values& x, const std::array<float, 3>& mean, const std::array<float, 3>& std);

Values column_dots(const Values& a, const Values& b, std::int64_t columns);
Values multiply_columns(const Values& x, const Values& column, double beta, Values y);

struct BarlowTerms {
  Values terms, gradient;  ///< gradient: of C, or of the Gram form's diagonal
};
BarlowTerms barlow_terms(const Values& c, std::int64_t D, double lambda, double scale);
BarlowTerms barlow_gram_terms(const Values& diagonal, double square, double count, double lambda, double scale);

Values segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, const Values& values,
                     const Values& gradients);
struct LarsState {
  Values values, momentum;
};
LarsState lars_update(std::span<const LarsSegment> segments, const LarsStep& step, LarsState state,
                      const Values& gradients);

}  // namespace barlow::reference
