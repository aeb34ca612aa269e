// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/projector.hpp"

namespace barlow::nn {

Projector::Projector(ParameterLayout& layout, const std::string& prefix, std::int64_t in,
                     const std::vector<std::int64_t>& widths) {
  int number = 0;
  for (std::size_t i = 0; i < widths.size(); ++i, number += 3) {
    linears_.emplace_back(layout, prefix + std::to_string(number), in, widths[i]);
    if (i + 1 < widths.size()) norms_.emplace_back(layout, prefix + std::to_string(number + 1), widths[i]);
    in = widths[i];
  }
}

Activation Projector::forward(Pass& pass, const Activation& x) const {
  const BatchNorm::Options options{.relu = true, .output = pass.parameters.compute_dtype()};
  Activation y = linears_.front().forward(pass, x);
  for (std::size_t i = 0; i < norms_.size(); ++i) {
    y = linears_[i + 1].forward(pass, norms_[i].forward(pass, y, {}, options));
  }
  return y;
}

Activation Projector::backward(Pass& pass, Activation dy) const {
  const BatchNorm::Options options{.relu = true, .output = pass.parameters.compute_dtype()};
  for (std::size_t i = norms_.size(); i-- > 0;) {
    dy = norms_[i].backward(pass, linears_[i + 1].backward(pass, dy), {}, false, options);
  }
  return linears_.front().backward(pass, dy);
}

}  // namespace barlow::nn
