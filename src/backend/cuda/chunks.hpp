// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "barlow/backend/op_descriptors.hpp"
#include "barlow/tensor/buffer.hpp"

namespace barlow::cuda {

/// A piece of one segment, what a block works on.
struct Chunk {
  std::int64_t offset;  ///< in elements of the flat buffer
  std::int32_t size;
  std::int32_t segment;
  bool adapt;
};

/// At most 2^15 elements each, in the segments' order.
std::vector<Chunk> cut_into_chunks(std::span<const LarsSegment> segments);

/// The largest number that divides every segment's offset and size, so every chunk's, too: for access_width().
std::int64_t divisor_of(std::span<const LarsSegment> segments);

/// The chunks of one list of segments in device memory, and room for two f64 sums of each.
class ChunkTable {
 public:
  /// Waits for the device. @throws DeviceError
  explicit ChunkTable(std::span<const LarsSegment> segments);

  bool is_of(std::span<const LarsSegment> segments) const;
  unsigned num_chunks() const { return num_chunks_; }
  std::int64_t divisor() const { return divisor_; }
  unsigned num_segments() const { return static_cast<unsigned>(segments_.size()); }
  const Chunk* chunks() const { return static_cast<const Chunk*>(chunks_.data()); }
  /// The first chunk of each segment, and one past the last.
  const std::int64_t* first_chunks() const { return static_cast<const std::int64_t*>(first_chunks_.data()); }
  double* parts() const { return static_cast<double*>(parts_.data()); }

 private:
  std::vector<LarsSegment> segments_;
  unsigned num_chunks_;
  std::int64_t divisor_;
  Buffer chunks_, first_chunks_, parts_;
};

}  // namespace barlow::cuda
