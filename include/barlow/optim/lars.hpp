// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "barlow/comm/collectives.hpp"
#include "barlow/nn/parameters.hpp"
#include "barlow/optim/schedule.hpp"

namespace barlow::optim {

struct LarsOptions {
  float weight_decay = 1e-6F;
  float momentum = 0.9F;
  float eta = 0.001F;
  bool clip = false;
};

/// LARS (You, Gitman and Ginsburg 2017) as the original training code has it. For each tensor p with gradient g:
///   rank > 1:  g += weight_decay p;  q = eta |p| / |g| (1 if either is 0; with clip: min(q / rate, 1));  g *= q
///   m = momentum m + g;  p -= rate m
/// Of a sharded tensor each rank updates its rows.
class Lars {
 public:
  Lars(nn::ParameterStore& store, Backend& backend, Collectives& collectives, LarsOptions options);

  /// Measures the gradients, which are `loss_scale` times too large. Returns the name of the first tensor whose
  /// gradient or value is not finite, if any; waits for the device. Collective.
  std::optional<std::string> measure(double loss_scale = 1);
  /// Euclidean norm of all gradients as measured, weight decay included; NaN where one is not finite.
  double gradient_norm() const { return gradient_norm_; }
  /// One step in place, after measure(). Collective; asynchronous. After it the compute copy is whole on every rank.
  void step(Schedule::Rates rates);

 private:
  nn::ParameterStore& store_;
  Backend& backend_;
  Collectives& collectives_;
  LarsOptions options_;
  std::vector<LarsSegment> segments_;
  Buffer memory_;
  TensorView norms_;  ///< f64 [segments,2] on the device
  std::vector<double> host_norms_;
  double gradient_norm_ = std::numeric_limits<double>::quiet_NaN();
  float loss_scale_ = 1;  ///< of the gradients that were measured
};

}  // namespace barlow::optim
