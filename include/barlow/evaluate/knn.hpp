// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/evaluate/features.hpp"

namespace barlow::evaluate {

/// Top-1 and top-5 accuracy in per cent.
struct Accuracy {
  double top1 = 0, top5 = 0;
};

struct KnnOptions {
  std::int64_t k = 20;
  double temperature = 0.07;
};

/// Weighted nearest neighbours (Wu et al. 2018): a test image's class is the one with the largest sum of exp(s /
/// temperature) over its k nearest training images by cosine similarity s. Collective; the same on any number of ranks
/// up to rounding.
Accuracy evaluate_knn(Features train, Features test, std::int64_t num_classes, const KnnOptions& options,
                      const train::Runtime& runtime);

}  // namespace barlow::evaluate
