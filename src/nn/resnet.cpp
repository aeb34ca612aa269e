// SPDX-License-Identifier: Apache-2.0
#include "barlow/nn/resnet.hpp"

#include <array>
#include <map>

namespace barlow::nn {
namespace {

struct Architecture {
  bool bottleneck;
  std::array<int, 4> blocks;
};

const Architecture& find_architecture(const std::string& name) {
  static const std::map<std::string, Architecture> table = {
      {"resnet18", {false, {2, 2, 2, 2}}},  {"resnet34", {false, {3, 4, 6, 3}}},  {"resnet50", {true, {3, 4, 6, 3}}},
      {"resnet101", {true, {3, 4, 23, 3}}}, {"resnet152", {true, {3, 8, 36, 3}}},
  };
  const auto found = table.find(name);
  if (found == table.end()) {
    throw ConfigError("architecture \"" + name +
                      "\" is unknown; choose resnet18, resnet34, resnet50, resnet101 or resnet152");
  }
  return found->second;
}

BatchNorm::Options norm_options(const Pass& pass, bool relu) {
  return {.relu = relu, .output = pass.parameters.compute_dtype()};
}

Conv2d make_stem(ParameterLayout& layout, const std::string& prefix, Stem stem, std::int64_t width) {
  if (stem == Stem::kImagenet) return {layout, prefix + "conv1", 3, width, 7, 2, 3};
  return {layout, prefix + "conv1", 3, width, 3, stem == Stem::kTiny ? 2 : 1, 1};
}

}  // namespace

Stem parse_stem(const std::string& name) {
  if (name == "imagenet") return Stem::kImagenet;
  if (name == "small") return Stem::kSmall;
  if (name == "tiny") return Stem::kTiny;
  throw ConfigError("stem \"" + name + "\" is unknown; choose imagenet, small or tiny");
}

ResidualBlock::ResidualBlock(ParameterLayout& layout, const std::string& name, const Shape& shape) {
  const auto add_unit = [&](int number, std::int64_t in, std::int64_t out, int filter, int stride) {
    const std::string suffix = std::to_string(number);
    Conv2d conv(layout, name + ".conv" + suffix, in, out, filter, stride, filter / 2);
    units_.push_back({conv, BatchNorm(layout, name + ".bn" + suffix, out)});
  };
  if (shape.bottleneck) {
    add_unit(1, shape.in, shape.planes, 1, 1);
    add_unit(2, shape.planes, shape.planes, 3, shape.stride);
    add_unit(3, shape.planes, shape.out(), 1, 1);
  } else {
    add_unit(1, shape.in, shape.planes, 3, shape.stride);
    add_unit(2, shape.planes, shape.planes, 3, 1);
  }
  if (shape.stride != 1 || shape.in != shape.out()) {
    Conv2d conv(layout, name + ".downsample.0", shape.in, shape.out(), 1, shape.stride, 0);
    shortcut_ = Unit{conv, BatchNorm(layout, name + ".downsample.1", shape.out())};
  }
}

Activation ResidualBlock::forward(Pass& pass, const Activation& x) const {
  Activation y = x;
  for (std::size_t i = 0; i + 1 < units_.size(); ++i) {
    y = units_[i].norm.forward(pass, units_[i].conv.forward(pass, y), {}, norm_options(pass, true));
  }
  y = units_.back().conv.forward(pass, y);
  Activation residual = x;
  if (shortcut_)
    residual = shortcut_->norm.forward(pass, shortcut_->conv.forward(pass, x), {}, norm_options(pass, false));
  return units_.back().norm.forward(pass, y, residual, norm_options(pass, true));
}

ResidualBlock::Gradient ResidualBlock::backward(Pass& pass, const Gradient& dy) const {
  Activation through = units_.back().norm.backward(pass, dy.through, dy.around, true, norm_options(pass, true));
  Activation around = dy.through;  // the norm left the residual's gradient there
  if (shortcut_) {
    around =
        shortcut_->conv.backward(pass, shortcut_->norm.backward(pass, around, {}, false, norm_options(pass, false)));
  }
  through = units_.back().conv.backward(pass, through);
  for (std::size_t i = units_.size() - 1; i-- > 0;) {
    through =
        units_[i].conv.backward(pass, units_[i].norm.backward(pass, through, {}, false, norm_options(pass, true)));
  }
  return {through, around};
}

ResNet::ResNet(ParameterLayout& layout, const std::string& prefix, const std::string& architecture, Stem stem,
               std::int64_t width)
    : conv1_(make_stem(layout, prefix, stem, width)), norm1_(layout, prefix + "bn1", width) {
  const auto& [bottleneck, blocks] = find_architecture(architecture);
  if (stem == Stem::kImagenet) pool_.emplace();
  // stage     planes  stride      output for 224x224 (bottleneck), published width
  // layer1        64       1      [N, 56, 56,  256]
  // layer2       128       2      [N, 28, 28,  512]
  // layer3       256       2      [N, 14, 14, 1024]
  // layer4       512       2      [N,  7,  7, 2048]
  features_ = width;
  std::int64_t planes = width;
  for (std::size_t stage = 0; stage < blocks.size(); ++stage, planes *= 2) {
    for (int i = 0; i < blocks[stage]; ++i) {
      const int stride = i == 0 && stage > 0 ? 2 : 1;
      const ResidualBlock::Shape shape{features_, planes, stride, bottleneck};
      blocks_.emplace_back(layout, prefix + "layer" + std::to_string(stage + 1) + "." + std::to_string(i), shape);
      features_ = shape.out();
    }
  }
}

Activation ResNet::forward(Pass& pass, const Activation& images) const {
  Activation y = norm1_.forward(pass, conv1_.forward(pass, images), {}, norm_options(pass, true));
  if (pool_) y = pool_->forward(pass, y);
  for (const ResidualBlock& block : blocks_) y = block.forward(pass, y);
  return average_.forward(pass, y);
}

void ResNet::backward(Pass& pass, const Activation& dy) const {
  ResidualBlock::Gradient gradient{average_.backward(pass, dy), {}};
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) gradient = block->backward(pass, gradient);
  pass.backend.add(gradient.around, gradient.through);
  if (pool_) gradient.through = pool_->backward(pass, gradient.through);
  gradient.around = {};
  conv1_.backward_parameters(pass, norm1_.backward(pass, gradient.through, {}, false, norm_options(pass, true)));
}

}  // namespace barlow::nn
