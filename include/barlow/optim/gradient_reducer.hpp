// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "barlow/comm/collectives.hpp"
#include "barlow/nn/pass.hpp"

namespace barlow::optim {

/// Sums gradients over ranks while backward goes on: contiguous ranges of the flat buffer, begun as soon as they are
/// complete and large enough. A sum, not a mean: the loss is already that of the global batch. Sharded gradients are
/// sums as they stand.
class GradientReducer final : public nn::GradientListener {
 public:
  /// @param gradients  flat, as `layout` says
  GradientReducer(Collectives& collectives, const nn::ParameterLayout& layout, TensorView gradients,
                  std::int64_t bucket_bytes = std::int64_t{4} << 20);

  /// A backward pass begins. Forgets what an earlier one that did not reach finish() had begun.
  void start() { begun_from_ = gradients_.num_elements(); }
  void complete_from(std::int64_t offset) override;
  /// Collective. Begins what is left; after it, every gradient is the sum over ranks, and the next step may start.
  void finish();

 private:
  struct Range {
    std::int64_t first, last;  ///< elements; past the end
  };
  void begin(std::int64_t offset);
  void begin(Range range);

  Collectives& collectives_;
  TensorView gradients_;
  std::vector<Range> summed_;  ///< between sharded tensors, last first
  std::int64_t bucket_elements_;
  std::int64_t begun_from_;  ///< gradients from here on are on their way
};

}  // namespace barlow::optim
