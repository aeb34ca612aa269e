// SPDX-License-Identifier: Apache-2.0
#include "barlow/optim/gather_shards.hpp"

namespace barlow::optim {

void gather_shards(const nn::ParameterLayout& layout, TensorView flat, Collectives& collectives) {
  for (const nn::Parameter& parameter : layout.parameters()) {
    if (!parameter.is_sharded()) continue;
    const TensorView whole = flat.slice(parameter.offset, parameter.shape.num_elements()).reshaped(parameter.shape);
    collectives.all_gather(whole.slice(parameter.first_row, parameter.rows), whole);
  }
}

}  // namespace barlow::optim
