// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <vector>

#include "barlow/base/random.hpp"
#include "barlow/tensor/arena.hpp"
#include "support/catch.hpp"

using namespace barlow;

namespace {

Buffer host_memory(std::size_t size) {
  return {std::aligned_alloc(256, size), size, [](void* p) noexcept { std::free(p); }};
}

}  // namespace

TEST_CASE("activations share memory and give it back with the last holder") {
  Arena arena(host_memory(4096));
  Activation first = arena.allocate(DType::kF32, {16});
  const void* address = first.view().data;
  Activation second = first;
  first = {};
  CHECK(arena.used_bytes() == 256);
  CHECK(arena.allocate(DType::kF32, {16}).view().data != address);
  second = {};
  CHECK(arena.used_bytes() == 0);
  CHECK(arena.allocate(DType::kF32, {16}).view().data == address);
}

TEST_CASE("a full arena names the sizes") {
  Arena arena(host_memory(1024));
  const Activation all = arena.allocate(DType::kU8, {1024});
  CHECK_THROWS_AS(arena.allocate(DType::kU8, {1}), DeviceError);
}

TEST_CASE("activations never overlap, and a measurement predicts the peak") {
  const auto use = [](Arena& arena) {
    RandomStream random(3, RandomStream::Purpose::kSynthetic, 0);
    std::vector<Activation> held;
    for (int i = 0; i < 2000; ++i) {
      if (!held.empty() && random.next_bernoulli(0.5)) {
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(random.next_below(held.size())));
      } else {
        held.push_back(arena.allocate(DType::kU8, {1 + static_cast<std::int64_t>(random.next_below(3000))}));
      }
      for (std::size_t a = 0; a + 1 < held.size() && held[a].view().data != nullptr; ++a) {
        const auto* last = static_cast<const std::byte*>(held.back().view().data);
        const auto* other = static_cast<const std::byte*>(held[a].view().data);
        REQUIRE((last + held.back().view().size_bytes() <= other || other + held[a].view().size_bytes() <= last));
      }
    }
  };
  Arena measuring;
  use(measuring);
  CHECK(measuring.used_bytes() == 0);
  Arena exact(host_memory(measuring.peak_bytes()));
  CHECK_NOTHROW(use(exact));
  CHECK(exact.peak_bytes() == measuring.peak_bytes());
}
