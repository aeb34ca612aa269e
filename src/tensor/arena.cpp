// SPDX-License-Identifier: Apache-2.0
#include "barlow/tensor/arena.hpp"

#include <algorithm>
#include <string>

namespace barlow {
namespace {
constexpr std::size_t kAlignment = 256;
}

struct Activation::Block {
  Arena* arena;
  std::size_t offset;
  std::size_t size_bytes;

  Block(Arena* owner, std::size_t first, std::size_t size) : arena(owner), offset(first), size_bytes(size) {}
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() { arena->release(offset, size_bytes); }
};

Arena::Arena(Buffer memory) : memory_(std::move(memory)) {}

Activation Arena::allocate(DType dtype, const Shape& shape) {
  Activation result;
  result.view_ = TensorView(nullptr, dtype, shape);
  const std::size_t size =
      std::max<std::size_t>(1, (result.view_.size_bytes() + kAlignment - 1) / kAlignment) * kAlignment;

  auto best = free_.end();
  for (auto gap = free_.begin(); gap != free_.end(); ++gap) {
    if (gap->second >= size && (best == free_.end() || gap->second < best->second)) best = gap;
  }
  std::size_t offset = end_;
  if (best != free_.end()) {
    offset = best->first;
    const std::size_t rest = best->second - size;
    free_.erase(best);
    if (rest > 0) free_.emplace(offset + size, rest);
  } else {
    if (memory_.data() != nullptr && end_ + size > memory_.size_bytes()) {
      throw DeviceError("activation memory is exhausted: " + std::to_string(size) + " bytes asked, " +
                        std::to_string(memory_.size_bytes() - end_) + " of " + std::to_string(memory_.size_bytes()) +
                        " left");
    }
    end_ += size;
    peak_bytes_ = std::max(peak_bytes_, end_);
  }
  used_bytes_ += size;
  result.block_ = std::make_shared<const Activation::Block>(this, offset, size);
  if (memory_.data() != nullptr) result.view_.data = static_cast<std::byte*>(memory_.data()) + offset;
  return result;
}

void Arena::release(std::size_t offset, std::size_t size_bytes) noexcept {
  used_bytes_ -= size_bytes;
  auto gap = free_.emplace(offset, size_bytes).first;
  if (const auto next = std::next(gap); next != free_.end() && gap->first + gap->second == next->first) {
    gap->second += next->second;
    free_.erase(next);
  }
  if (gap != free_.begin()) {
    if (const auto previous = std::prev(gap); previous->first + previous->second == gap->first) {
      previous->second += gap->second;
      free_.erase(gap);
      gap = previous;
    }
  }
  if (gap->first + gap->second == end_) {
    end_ = gap->first;
    free_.erase(gap);
  }
}

}  // namespace barlow
