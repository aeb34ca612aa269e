// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

namespace barlow {

/// Memory that frees itself. Where it lies is known to whoever made it (Backend::allocate: device; allocate_staging:
/// host memory that the device can reach).
class Buffer {
 public:
  using Deleter = void (*)(void*) noexcept;

  Buffer() = default;
  Buffer(void* data, std::size_t size_bytes, Deleter deleter)
      : data_(data), size_bytes_(size_bytes), deleter_(deleter) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)),
        deleter_(std::exchange(other.deleter_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    std::swap(deleter_, other.deleter_);
    return *this;
  }
  ~Buffer() {
    if (deleter_ != nullptr && data_ != nullptr) deleter_(data_);
  }

  void* data() const { return data_; }
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t size_bytes_ = 0;
  Deleter deleter_ = nullptr;
};

}  // namespace barlow
