// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/batch_upload.hpp"

#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"

namespace barlow::train {

BatchUpload::BatchUpload(Backend& backend, const Sizes& sizes) : backend_(backend), image_size_(sizes.image_size) {
  for (Place& place : places_) {
    place.received = backend.allocate(sizes.batch_bytes);
    if (sizes.views_bytes > 0) place.made = backend.allocate(sizes.views_bytes);
  }
}

BatchUpload::~BatchUpload() {
  try {
    forget();
  } catch (const Error& error) {
    log::warning(error.what());
  }
}

void BatchUpload::begin(const StepInput& batch) {
  if (place_of(batch) != nullptr) return;
  Place& place = places_[next_];
  next_ = 1 - next_;
  const TensorView received(place.received.data(), batch.images.dtype, batch.images.shape);
  const TensorView made(place.made.data(), DType::kU8, {2, batch.num_images(), image_size_, image_size_, 3});
  if (received.size_bytes() > place.received.size_bytes() ||
      (!batch.plans.empty() && made.size_bytes() > place.made.size_bytes()))
    throw ShapeError("a batch has more bytes than the step was made for");
  backend_.upload(batch.images, received);
  if (!batch.plans.empty()) backend_.make_views(batch.plans, received, made);
  place.views = batch.plans.empty() ? received : made;
  place.mark = backend_.mark_input();
  place.source = batch.images.data;
}

ConstTensorView BatchUpload::finish(const StepInput& batch) {
  begin(batch);
  Place& place = *place_of(batch);
  backend_.await_input(place.mark);
  place.source.reset();
  return place.views;
}

void BatchUpload::forget() {
  if (!places_[0].source && !places_[1].source) return;
  for (Place& place : places_) {
    if (std::exchange(place.source, std::nullopt)) backend_.await_input(place.mark);
  }
  backend_.synchronize();
}

BatchUpload::Place* BatchUpload::place_of(const StepInput& batch) {
  for (Place& place : places_) {
    if (place.source == batch.images.data) return &place;
  }
  return nullptr;
}

}  // namespace barlow::train
