// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "barlow/nn/pass.hpp"

/// The loss of Zbontar et al. 2021 (arXiv 2103.03230) and its gradient.
///
/// With zh1, zh2 [B,D] the embeddings of the two views, normalised over the global batch, C = zh1^T zh2 / B and
///   L = sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2,
///   dL/dC_ii = -2 (1 - C_ii),  dL/dC_ij = 2 lambda C_ij,  dL/dzh1 = zh2 (dL/dC)^T / B,  dL/dzh2 = zh1 (dL/dC) / B.
/// Two forms compute it:
///   direct  C is summed over ranks, [D,D]: 6 b D^2 flops on a rank of b images;
///   gram    sum_ij C_ij^2 = sum((zh1 zh1^T) o (zh2 zh2^T)) / B^2, and C_ii is a sum over columns:
///           embeddings are gathered, and a rank has its rows of the two B x B matrices,
///           8 b B D flops, no D x D matrix.
namespace barlow::ssl {

enum class LossForm { kAuto, kDirect, kGram };

struct BarlowTwinsOptions {
  float lambda = 0.0051F;
  /// Multiplies the gradient, not the terms: 1 / reference_world_size.
  float gradient_scale = 1;
  LossForm form = LossForm::kAuto;
  /// What C is divided by when that is not the number of embeddings; 0: that number.
  std::int64_t divisor = 0;
};

struct BarlowTwinsLoss {
  /// f64 [2] on the device, the same on every rank: on-diagonal term, off-diagonal term with lambda. L is their sum.
  Activation terms;
  /// f32 [2b,D]: gradient_scale * dL/dzh of this rank's rows.
  Activation gradient;
};

/// Collective. @param normalized  zh f32 [2b,D] of this rank, view 1's rows first.
BarlowTwinsLoss barlow_twins(nn::Pass& pass, const Activation& normalized, const BarlowTwinsOptions& options);

/// What kAuto stands for: the form with fewer flops.
LossForm choose_form(LossForm form, std::int64_t global_batch, std::int64_t width);

/// The off-diagonal term of independent features, lambda D (D-1) / B: what "my loss is 4,000" has to be compared with.
double noise_floor(double lambda, std::int64_t width, std::int64_t global_batch);

/// @throws ConfigError unless the name is auto, direct or gram.
LossForm parse_loss_form(const std::string& name);

}  // namespace barlow::ssl
