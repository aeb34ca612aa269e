// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/batch_upload.hpp"

#include <utility>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"

namespace barlow::train {

BatchUpload::BatchUpload(Backend& backend, std::size_t capacity_bytes) : backend_(backend) {
  for (Place& place : places_) place.memory = backend.allocate(capacity_bytes);
}

BatchUpload::~BatchUpload() {
  try {
    forget();
  } catch (const Error& error) {
    log::warning(error.what());
  }
}

void BatchUpload::begin(ConstTensorView host) {
  if (place_of(host) != nullptr) return;
  Place& place = places_[next_];
  next_ = 1 - next_;
  if (host.size_bytes() > place.memory.size_bytes())
    throw ShapeError("a batch has more bytes than the step was made for");
  place.upload = backend_.upload(host, TensorView(place.memory.data(), host.dtype, host.shape));
  place.source = host.data;
}

ConstTensorView BatchUpload::finish(ConstTensorView host) {
  begin(host);
  Place& place = *place_of(host);
  backend_.await_upload(place.upload);
  place.source = nullptr;
  return {place.memory.data(), host.dtype, host.shape};
}

void BatchUpload::forget() {
  if (places_[0].source == nullptr && places_[1].source == nullptr) return;
  for (Place& place : places_) {
    if (std::exchange(place.source, nullptr) != nullptr) backend_.await_upload(place.upload);
  }
  backend_.synchronize();
}

BatchUpload::Place* BatchUpload::place_of(ConstTensorView host) {
  for (Place& place : places_) {
    if (place.source == host.data) return &place;
  }
  return nullptr;
}

}  // namespace barlow::train
