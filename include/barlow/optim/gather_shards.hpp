// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/comm/collectives.hpp"
#include "barlow/nn/parameters.hpp"

namespace barlow::optim {

/// Brings every rank's rows of the sharded parameters to all ranks. Collective; in order with the device's computation.
/// @param flat  values, gradients, momentum or compute copy of a store
void gather_shards(const nn::ParameterLayout& layout, TensorView flat, Collectives& collectives);

}  // namespace barlow::optim
