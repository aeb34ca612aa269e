// SPDX-License-Identifier: Apache-2.0
#include "barlow/evaluate/classes.hpp"

#include <algorithm>
#include <string>

#include "barlow/base/error.hpp"
#include "barlow/base/number.hpp"

namespace barlow::evaluate {
namespace {

/// False for a set that was packed from numbers (IDX, lists of numbers), whose names are those numbers.
bool has_names(const data::Dataset& set) {
  const auto& names = set.class_names();
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return !parse_number<std::int64_t>(name); });
}

}  // namespace

std::int64_t count_classes(const data::Dataset& train, const data::Dataset& test) {
  std::int32_t last = 0;
  for (const data::Dataset* set : {&train, &test}) {
    for (std::int64_t i = 0; i < set->size(); ++i) last = std::max(last, set->info(i).label);
  }
  return std::max<std::int64_t>(last + 1, static_cast<std::int64_t>(train.class_names().size()));
}

std::vector<std::int32_t> match_classes(const data::Dataset& train, const data::Dataset& test) {
  const auto& names = train.class_names();
  std::vector<std::int32_t> numbers;
  std::string unknown;
  std::size_t found = 0;
  for (const std::string& name : test.class_names()) {
    const auto place = std::find(names.begin(), names.end(), name);
    numbers.push_back(static_cast<std::int32_t>(place - names.begin()));
    found += place != names.end() ? 1 : 0;
    if (place == names.end()) unknown = name;
  }
  if (found == 0 && !(has_names(train) && has_names(test))) return {};
  if (found < numbers.size())
    throw ConfigError("--test: class \"" + unknown + "\" is none of --train; both need the same classes");
  return numbers;
}

}  // namespace barlow::evaluate
