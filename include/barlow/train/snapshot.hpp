// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "barlow/comm/mpi_session.hpp"
#include "barlow/data/loader.hpp"
#include "barlow/tensor/view.hpp"

namespace barlow::train {

/// What `barlow report` shows of a run, on the host: some views as the network sees them and a leading block of the
/// cross-correlation matrix.
class Snapshot {
 public:
  static constexpr std::int64_t kMaxImages = 8;
  static constexpr std::int64_t kMaxWidth = 64;

  /// Takes this rank's share: its batch's first images and its part of C. Collective.
  /// @param normalized  f32 [2b,D] on the host, this rank's normalised embeddings
  Snapshot(const MpiSession& session, const data::HostBatch& batch, std::int64_t image_size,
           ConstTensorView normalized);

  /// Writes snapshot.h5: views u8 [2,n,S,S,3], cross_correlation f32 [d,d], attribute step. One rank. @throws
  /// StorageError.
  void write(const std::filesystem::path& run, std::int64_t step) const;

 private:
  std::vector<std::uint8_t> views_;
  Shape views_shape_;
  std::vector<float> correlation_;
  std::int64_t width_;
};

}  // namespace barlow::train
