// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "barlow/nn/layers.hpp"

namespace barlow::nn {

/// How images enter the network.
enum class Stem {
  kImagenet,  ///< 7x7 stride 2, max pool 3x3 stride 2
  kSmall,     ///< 3x3 stride 1, no pool
  kTiny,      ///< 3x3 stride 2, no pool
};

/// y = relu(norm(conv(... x)) + shortcut(x)): two 3x3 convolutions (basic) or 1x1, 3x3 with the stride, 1x1
/// (bottleneck; v1.5: Goyal et al. 2017). He et al. 2015.
class ResidualBlock {
 public:
  struct Shape {
    std::int64_t in, planes;
    int stride;
    bool bottleneck;
    std::int64_t out() const { return bottleneck ? 4 * planes : planes; }
  };
  ResidualBlock(ParameterLayout& layout, const std::string& name, const Shape& shape);

  /// A block's output feeds the next block's convolutions and its shortcut: its gradient comes in two parts, which the
  /// last norm of the block below adds while it reads them. `around` may be empty.
  struct Gradient {
    Activation through, around;
  };

  Activation forward(Pass& pass, const Activation& x) const;
  /// Overwrites dy.through.
  Gradient backward(Pass& pass, const Gradient& dy) const;

 private:
  struct Unit {
    Conv2d conv;
    BatchNorm norm;
  };
  std::vector<Unit> units_;
  std::optional<Unit> shortcut_;
};

/// ResNet without its classifier: [N,H,W,3] -> [N, features()]. Names are torchvision's, after `prefix`.
class ResNet {
 public:
  /// Channels of the stem and planes of the first stage in the published networks; 128 makes ResNet-50 (2x).
  static constexpr std::int64_t kPublishedWidth = 64;

  /// @param architecture  resnet18, resnet34, resnet50, resnet101 or resnet152
  /// @param width  in the place of kPublishedWidth; every later stage has twice the planes of the one before
  /// @throws ConfigError for another architecture.
  ResNet(ParameterLayout& layout, const std::string& prefix, const std::string& architecture, Stem stem,
         std::int64_t width);

  Activation forward(Pass& pass, const Activation& images) const;
  void backward(Pass& pass, const Activation& dy) const;
  std::int64_t features() const { return features_; }

 private:
  Conv2d conv1_;
  BatchNorm norm1_;
  std::optional<MaxPool> pool_;
  std::vector<ResidualBlock> blocks_;
  GlobalAveragePool average_;
  std::int64_t features_ = 0;
};

/// @throws ConfigError unless the name is imagenet, small or tiny.
Stem parse_stem(const std::string& name);

}  // namespace barlow::nn
