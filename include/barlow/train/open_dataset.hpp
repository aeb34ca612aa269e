// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "barlow/comm/agreement.hpp"
#include "barlow/data/dataset.hpp"

namespace barlow::train {

/// Opens the set on every rank, each by its own path: a copy on a host's own disk is as good. Collective.
/// @param flag  that named the path, for messages
/// @throws AgreedError if a rank cannot open its set, or finds other images in it than rank 0.
data::Dataset open_dataset(const std::string& flag, const std::string& path, const MpiSession& session);

}  // namespace barlow::train
