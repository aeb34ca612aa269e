// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/snapshot.hpp"

#include <algorithm>

#include "barlow/pixels/make_view.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "barlow/train/run_folder.hpp"
#include "storage.hpp"

namespace barlow::train {

Snapshot::Snapshot(const MpiSession& session, const data::HostBatch& batch, std::int64_t image_size,
                   ConstTensorView normalized)
    : width_(std::min(kMaxWidth, normalized.shape[1])) {
  const std::int64_t b = normalized.shape[0] / 2;
  const std::int64_t n = std::min(kMaxImages, b);
  const auto image_bytes = static_cast<std::size_t>(image_size * image_size * 3);
  views_shape_ = {2, n, image_size, image_size, 3};
  views_.resize(static_cast<std::size_t>(2 * n) * image_bytes);
  std::uint8_t* to = views_.data();
  for (std::int64_t view = 0; view < 2; ++view) {
    for (std::int64_t image = 0; image < n; ++image, to += image_bytes) {
      const auto number = static_cast<std::size_t>(view * b + image);
      if (batch.plans.empty()) {
        std::copy_n(batch.images.data() + number * image_bytes, image_bytes, to);
      } else {
        pixels::make_view(batch.plans[number], batch.images, static_cast<int>(image_size), to);
      }
    }
  }

  const std::int64_t D = normalized.shape[1];
  const float* zh = normalized.as<float>();
  std::vector<double> sums(static_cast<std::size_t>(width_ * width_), 0.0);
  for (std::int64_t image = 0; image < b; ++image) {
    for (std::int64_t i = 0; i < width_; ++i) {
      const double first = zh[image * D + i];
      for (std::int64_t j = 0; j < width_; ++j)
        sums[static_cast<std::size_t>(i * width_ + j)] += first * zh[(b + image) * D + j];
    }
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(sums.size()), MPI_DOUBLE, MPI_SUM,
                          session.communicator()));
  const double count = static_cast<double>(b) * session.world_size();
  for (const double sum : sums) correlation_.push_back(static_cast<float>(sum / count));
}

void Snapshot::write(const std::filesystem::path& run, std::int64_t step) const {
  replace_file(run / kSnapshotFile, [&](const std::filesystem::path& temporary) {
    Hdf5File file = Hdf5File::create(temporary);
    reserve_space(temporary, views_.size() + correlation_.size() * sizeof(float) + 65536);
    file.write("views", ConstTensorView(views_.data(), DType::kU8, views_shape_));
    file.write("cross_correlation", ConstTensorView(correlation_.data(), DType::kF32, {width_, width_}));
    file.write_attribute("/", "step", step);
    file.close();
  });
}

}  // namespace barlow::train
