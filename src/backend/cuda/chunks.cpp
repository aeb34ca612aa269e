// SPDX-License-Identifier: Apache-2.0
#include "chunks.hpp"

#include <algorithm>
#include <numeric>

#include "device_memory.hpp"

namespace barlow::cuda {
namespace {

constexpr std::int64_t kChunkElements = 1 << 15;

template <class T>
Buffer upload(const std::vector<T>& values) {
  Buffer memory = allocate_device(values.size() * sizeof(T));
  check(cudaMemcpy(memory.data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  // A copy from pageable memory returns when the memory has been read, not when the device has it; and streams that do
  // not block are not ordered behind it.
  check(cudaStreamSynchronize(cudaStreamLegacy));
  return memory;
}

}  // namespace

std::vector<Chunk> cut_into_chunks(std::span<const LarsSegment> segments) {
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    for (std::int64_t first = 0; first < segments[i].size; first += kChunkElements) {
      chunks.push_back({.offset = segments[i].offset + first,
                        .size = static_cast<std::int32_t>(std::min(kChunkElements, segments[i].size - first)),
                        .segment = static_cast<std::int32_t>(i),
                        .adapt = segments[i].adapt});
    }
  }
  return chunks;
}

std::int64_t divisor_of(std::span<const LarsSegment> segments) {
  std::int64_t divisor = kChunkElements;
  for (const LarsSegment& segment : segments) divisor = std::gcd(std::gcd(divisor, segment.offset), segment.size);
  return divisor;
}

ChunkTable::ChunkTable(std::span<const LarsSegment> segments)
    : segments_(segments.begin(), segments.end()), divisor_(divisor_of(segments)) {
  const std::vector<Chunk> chunks = cut_into_chunks(segments);
  std::vector<std::int64_t> first_chunks(segments.size() + 1, 0);
  for (const Chunk& chunk : chunks) ++first_chunks[static_cast<std::size_t>(chunk.segment) + 1];
  for (std::size_t i = 1; i < first_chunks.size(); ++i) first_chunks[i] += first_chunks[i - 1];
  num_chunks_ = static_cast<unsigned>(chunks.size());
  chunks_ = upload(chunks);
  first_chunks_ = upload(first_chunks);
  parts_ = allocate_device(chunks.size() * 2 * sizeof(double));
}

bool ChunkTable::is_of(std::span<const LarsSegment> segments) const {
  return std::equal(segments.begin(), segments.end(), segments_.begin(), segments_.end());
}

}  // namespace barlow::cuda
