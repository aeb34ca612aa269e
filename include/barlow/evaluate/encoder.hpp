// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "barlow/nn/resnet.hpp"
#include "barlow/train/trainer.hpp"

namespace barlow::evaluate {

/// Which network to evaluate, and on what views.
struct EncoderOptions {
  std::string checkpoint;  ///< run folder, checkpoint or safetensors file; empty: untrained
  std::string architecture = "resnet50", stem = "imagenet";
  std::int64_t backbone_width = nn::ResNet::kPublishedWidth, image_size = 224;
  std::int64_t seed = 0;           ///< of untrained weights
  std::string precision = "auto";  ///< of a loaded encoder: what it computes in
};

/// A frozen backbone in evaluation mode.
class Encoder {
 public:
  /// Rank 0 reads the weights for all: each by itself might find another checkpoint of a run that goes on. A run
  /// folder's or checkpoint's configuration replaces architecture, width, stem and image size. Collective. @throws
  /// AgreedError
  static std::unique_ptr<Encoder> load(EncoderOptions options, const train::Runtime& runtime);
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  const EncoderOptions& options() const { return options_; }
  bool is_untrained() const { return options_.checkpoint.empty(); }
  std::int64_t num_features() const { return backbone_.features(); }

  /// The most images that one call takes.
  static constexpr std::int64_t kBatch = 64;

  /// Features f32 [n, num_features()] of images u8 [n,S,S,3], both on the host.
  void encode(ConstTensorView images, TensorView features);

  /// Takes a batch into the running statistics of every norm, all batches counting alike. An untrained network's are
  /// otherwise no statistics of any image. Collective: every rank gives equally many images.
  void observe_statistics(ConstTensorView images);

 private:
  /// Without weights.
  Encoder(EncoderOptions options, const train::Runtime& runtime);
  void read_weights();
  Activation forward(nn::Pass& pass, ConstTensorView images) const;
  nn::Pass make_pass(bool training);
  /// Bytes of activations that a pass of kBatch images needs.
  std::size_t measure() const;

  EncoderOptions options_;
  const train::Runtime& runtime_;
  nn::ParameterLayout layout_;
  nn::ResNet backbone_;
  nn::ParameterStore store_;
  Arena arena_;
  std::int64_t batches_observed_ = 0;
};

}  // namespace barlow::evaluate
