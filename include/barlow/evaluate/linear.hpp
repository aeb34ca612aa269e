// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "barlow/evaluate/knn.hpp"

namespace barlow::evaluate {

struct LinearOptions {
  std::int64_t epochs = 100;
  std::int64_t batch_size = 256;
  std::vector<double> learning_rates = {0.01, 0.03, 0.1, 0.3, 1};
  double momentum = 0.9;
  double weight_decay = 1e-6;
  std::uint64_t seed = 0;
};

/// One classifier's result.
struct LinearResult {
  double learning_rate = 0;
  Accuracy last;  ///< after the last epoch
  Accuracy best;  ///< of the epoch with the best top-1 on the test images
  std::int64_t best_epoch = 0;
};

/// Softmax regression on frozen, standardised features: SGD with momentum, the rate falling by a cosine per epoch, one
/// classifier per learning rate side by side. Batches are the same on any number of ranks. Collective.
std::vector<LinearResult> evaluate_linear(const Features& train, const Features& test, std::int64_t num_classes,
                                          const LinearOptions& options, const train::Runtime& runtime);

}  // namespace barlow::evaluate
