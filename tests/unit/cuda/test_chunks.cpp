// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/chunks.hpp"
#include "support/catch.hpp"

using namespace barlow;

TEST_CASE("chunks cover each segment in order and nothing between") {
  const std::vector<LarsSegment> segments{{0, 100000, true}, {100032, 1, false}, {100096, 32768, true}};
  const auto chunks = cuda::cut_into_chunks(segments);
  std::vector<std::int64_t> covered(segments.size(), 0);
  for (const cuda::Chunk& chunk : chunks) {
    const auto number = static_cast<std::size_t>(chunk.segment);
    CHECK(chunk.offset == segments[number].offset + covered[number]);
    CHECK(chunk.adapt == segments[number].adapt);
    CHECK(chunk.size > 0);
    covered[number] += chunk.size;
  }
  for (std::size_t i = 0; i < segments.size(); ++i) CHECK(covered[i] == segments[i].size);
  CHECK(chunks.size() == 4 + 1 + 1);
}

TEST_CASE("what divides segments divides their chunks") {
  CHECK(cuda::divisor_of(std::vector<LarsSegment>{{0, 100000, true}, {100032, 64, false}}) == 32);
  CHECK(cuda::divisor_of(std::vector<LarsSegment>{{0, 100000, true}, {100032, 33, false}}) == 1);
  CHECK(cuda::divisor_of(std::vector<LarsSegment>{{64, 1 << 20, true}, {6 + (1 << 20), 32, true}}) == 2);
  const std::vector<LarsSegment> segments{{40, 1 << 20, true}, {1 << 21, 120000, true}};
  for (const cuda::Chunk& chunk : cuda::cut_into_chunks(segments)) {
    CHECK(chunk.offset % cuda::divisor_of(segments) == 0);
    CHECK(chunk.size % cuda::divisor_of(segments) == 0);
  }
}
