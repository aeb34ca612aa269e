// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "barlow/nn/projector.hpp"
#include "barlow/nn/resnet.hpp"
#include "barlow/train/config.hpp"

namespace barlow::train {

/// What is pre-trained: backbone, projector and the norm of the loss, with the names that files use.
struct Model {
  Model(nn::ParameterLayout& layout, const PretrainConfig& config)
      : backbone(layout, "backbone.", config.architecture, nn::parse_stem(config.stem), config.backbone_width),
        widths(parse_projector(config.projector)),
        projector(layout, "projector.", backbone.features(), widths),
        loss_norm(layout, "bn", widths.back(), nn::BatchNorm::Affine::kNo) {}

  nn::ResNet backbone;
  std::vector<std::int64_t> widths;
  nn::Projector projector;
  nn::BatchNorm loss_norm;

  std::int64_t embedding_width() const { return widths.back(); }
};

}  // namespace barlow::train
