// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "barlow/nn/layers.hpp"

namespace barlow::nn {

/// [Linear - BatchNorm - ReLU] for every width but the last, then a Linear: [N, in] -> [N, widths.back()]. Names are
/// numbered as the original's nn.Sequential: `projector.0.weight`, `projector.1.bias`, `projector.3.weight`, ...
class Projector {
 public:
  Projector(ParameterLayout& layout, const std::string& prefix, std::int64_t in,
            const std::vector<std::int64_t>& widths);

  Activation forward(Pass& pass, const Activation& x) const;
  Activation backward(Pass& pass, Activation dy) const;

 private:
  std::vector<Linear> linears_;
  std::vector<BatchNorm> norms_;
};

}  // namespace barlow::nn
