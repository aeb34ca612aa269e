// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "cpu_backend.hpp"
#include "element.hpp"
#include "partition.hpp"

namespace barlow::cpu {
namespace {

template <class From, class To>
BARLOW_MULTIVERSION void cast_run(const From* from, To* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) store(to[i], to_float(from[i]));
}

template <class T>
BARLOW_MULTIVERSION void add_run(const T* x, T* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) store(y[i], to_float(y[i]) + to_float(x[i]));
}

template <class T>
BARLOW_MULTIVERSION void normalize_run(const std::uint8_t* x, const float* scale, const float* shift, T* y,
                                       std::int64_t pixels) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < 3; ++c) store(y[3 * p + c], static_cast<float>(x[3 * p + c]) * scale[c] + shift[c]);
  }
}

}  // namespace

void CpuBackend::do_copy(In from, Out to) {
  const auto* source = static_cast<const std::byte*>(from.data);
  auto* target = static_cast<std::byte*>(to.data);
  parallel_ranges(num_threads_, static_cast<std::int64_t>(from.size_bytes()), [&](Range range, int) {
    if (range.last > range.first)
      std::memcpy(target + range.first, source + range.first, static_cast<std::size_t>(range.last - range.first));
  });
}

void CpuBackend::do_fill_zero(Out x) {
  auto* target = static_cast<std::byte*>(x.data);
  parallel_ranges(num_threads_, static_cast<std::int64_t>(x.size_bytes()), [&](Range range, int) {
    if (range.last > range.first)
      std::memset(target + range.first, 0, static_cast<std::size_t>(range.last - range.first));
  });
}

void CpuBackend::do_cast(In from, Out to) {
  with_element(from.dtype, [&](auto source) {
    with_element(to.dtype, [&](auto target) {
      using From = decltype(source);
      using To = decltype(target);
      parallel_ranges(num_threads_, from.num_elements(), [&](Range range, int) {
        cast_run(data_of<From>(from) + range.first, data_of<To>(to) + range.first, range.last - range.first);
      });
    });
  });
}

void CpuBackend::do_add(In x, Out y) {
  with_element(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_ranges(num_threads_, x.num_elements(), [&](Range range, int) {
      add_run(data_of<T>(x) + range.first, data_of<T>(y) + range.first, range.last - range.first);
    });
  });
}

// (x/255 - mean) / std = x * 1/(255 std) - mean/std
void CpuBackend::do_normalize_images(In x, const std::array<float, 3>& mean, const std::array<float, 3>& std, Out y) {
  std::array<float, 3> scale{}, shift{};
  for (std::size_t c = 0; c < 3; ++c) {
    scale[c] = 1.0F / (255.0F * std[c]);
    shift[c] = -mean[c] / std[c];
  }
  with_element(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_ranges(num_threads_, x.num_elements() / 3, [&](Range range, int) {
      normalize_run(data_of<std::uint8_t>(x) + 3 * range.first, scale.data(), shift.data(),
                    data_of<T>(y) + 3 * range.first, range.last - range.first);
    });
  });
}

}  // namespace barlow::cpu
