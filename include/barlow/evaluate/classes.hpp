// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "barlow/data/dataset.hpp"

namespace barlow::evaluate {

/// One more than the highest number that either set gives a class.
std::int64_t count_classes(const data::Dataset& train, const data::Dataset& test);

/// Each set numbers its own classes. By name: the training set's number of every class of the test set; empty where one
/// of the sets has no names, and numbers are all there is.
/// @throws ConfigError naming a class of the test set that the training set lacks.
std::vector<std::int32_t> match_classes(const data::Dataset& train, const data::Dataset& test);

}  // namespace barlow::evaluate
