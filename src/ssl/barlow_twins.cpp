// SPDX-License-Identifier: Apache-2.0
#include "barlow/ssl/barlow_twins.hpp"

#include <tuple>

namespace barlow::ssl {
namespace {

/// What both forms start from.
struct Embeddings {
  std::int64_t local_batch, global_batch, width;
  double divisor;                ///< of C
  ConstTensorView view1, view2;  ///< zh1, zh2 [b,D]
  TensorView gradient1, gradient2;
};

Activation direct_form(nn::Pass& pass, const Embeddings& e, const BarlowTwinsOptions& options) {
  const auto [b, D] = std::pair(e.local_batch, e.width);
  const float mean = 1.0F / static_cast<float>(e.divisor);
  const Activation c = pass.allocate(DType::kF32, {D, D});
  pass.backend.gemm({.M = D, .N = D, .K = b, .transpose_a = true, .alpha = mean}, e.view1, e.view2, c);
  pass.collectives.all_reduce_sum(c);
  Activation terms = pass.allocate(DType::kF64, {2});
  pass.backend.barlow_terms(c, options.lambda, options.gradient_scale, terms);  // c is now dL/dC
  pass.backend.gemm({.M = b, .N = D, .K = D, .transpose_b = true, .alpha = mean}, e.view2, c, e.gradient1);
  pass.backend.gemm({.M = b, .N = D, .K = D, .alpha = mean}, e.view1, c, e.gradient2);
  return terms;
}

// With K1 = zh1 zh1^T / B and K2 likewise, sum C^2 = sum(K1 o K2), whose gradient is d/dzh1 = 2 K2 zh1 / B; the
// diagonal's part, which that counts with weight lambda too, is made right by a multiple of zh2 per column.
Activation gram_form(nn::Pass& pass, const Embeddings& e, const BarlowTwinsOptions& options) {
  const auto [b, B, D] = std::tuple(e.local_batch, e.global_batch, e.width);
  const float mean = 1.0F / static_cast<float>(e.divisor);
  const Activation all1 = pass.allocate(DType::kF32, {B, D});
  const Activation all2 = pass.allocate(DType::kF32, {B, D});
  pass.collectives.all_gather(e.view1, all1);
  pass.collectives.all_gather(e.view2, all2);

  const Activation k1 = pass.allocate(DType::kF32, {b, B});
  const Activation k2 = pass.allocate(DType::kF32, {b, B});
  const GemmDesc gram{.M = b, .N = B, .K = D, .transpose_b = true, .alpha = mean};
  pass.backend.gemm(gram, e.view1, all1, k1);
  pass.backend.gemm(gram, e.view2, all2, k2);

  const Activation sums = pass.allocate(DType::kF64, {D + 1});
  const TensorView diagonal = sums.view().slice(0, D);
  const TensorView square = sums.view().slice(D, 1);
  pass.backend.column_dots(e.view1, e.view2, diagonal);
  pass.backend.dot(k1, k2, square);
  pass.collectives.all_reduce_sum(sums);

  Activation terms = pass.allocate(DType::kF64, {2});
  const Activation coefficient = pass.allocate(DType::kF32, {D});
  pass.backend.barlow_gram_terms(diagonal, square, e.divisor, options.lambda, options.gradient_scale, terms,
                                 coefficient);
  const GemmDesc rows{.M = b, .N = D, .K = B, .alpha = 2 * options.lambda * options.gradient_scale * mean};
  pass.backend.gemm(rows, k2, all1, e.gradient1);
  pass.backend.multiply_columns(e.view2, coefficient, 1, e.gradient1);
  pass.backend.gemm(rows, k1, all2, e.gradient2);
  pass.backend.multiply_columns(e.view1, coefficient, 1, e.gradient2);
  return terms;
}

}  // namespace

BarlowTwinsLoss barlow_twins(nn::Pass& pass, const Activation& normalized, const BarlowTwinsOptions& options) {
  const std::int64_t b = normalized.shape()[0] / 2;
  const std::int64_t D = normalized.shape()[1];
  Activation gradient = pass.allocate(DType::kF32, normalized.shape());
  const TensorView zh = normalized.view();
  const Embeddings embeddings{
      .local_batch = b,
      .global_batch = b * pass.collectives.world_size(),
      .width = D,
      .divisor = static_cast<double>(options.divisor > 0 ? options.divisor : b * pass.collectives.world_size()),
      .view1 = zh.slice(0, b),
      .view2 = zh.slice(b, b),
      .gradient1 = gradient.view().slice(0, b),
      .gradient2 = gradient.view().slice(b, b)};
  const bool direct = choose_form(options.form, embeddings.global_batch, D) == LossForm::kDirect;
  Activation terms = direct ? direct_form(pass, embeddings, options) : gram_form(pass, embeddings, options);
  return {std::move(terms), std::move(gradient)};
}

LossForm choose_form(LossForm form, std::int64_t global_batch, std::int64_t width) {
  if (form != LossForm::kAuto) return form;
  return 4 * global_batch < 3 * width ? LossForm::kGram : LossForm::kDirect;
}

double noise_floor(double lambda, std::int64_t width, std::int64_t global_batch) {
  const auto D = static_cast<double>(width);
  return lambda * D * (D - 1) / static_cast<double>(global_batch);
}

LossForm parse_loss_form(const std::string& name) {
  if (name == "auto") return LossForm::kAuto;
  if (name == "direct") return LossForm::kDirect;
  if (name == "gram") return LossForm::kGram;
  throw ConfigError("loss form \"" + name + "\" is unknown; choose auto, direct or gram");
}

}  // namespace barlow::ssl
