// SPDX-License-Identifier: Apache-2.0
// A checkpoint: the seal, HDF5 behind it, and what of it is believed. A seal that a mutation broke is mostly put right:
// it keeps damage out, not malice.
#include <algorithm>
#include <array>

#include "barlow/train/checkpoint.hpp"
#include "barlow/train/config.hpp"
#include "small_model.hpp"
#include "support.hpp"
#include "train/seal.hpp"

using namespace barlow;
using namespace barlow::fuzz;

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  if (size <= train::kSealBytes || seed % 16 == 0) return LLVMFuzzerMutate(data, size, max_size);
  size = train::kSealBytes +
         LLVMFuzzerMutate(data + train::kSealBytes, size - train::kSealBytes, max_size - train::kSealBytes);
  const MemoryFile file({data, size});
  train::seal(file.path());
  require(pread(file.descriptor(), data, train::kSealBytes, 0) == static_cast<ssize_t>(train::kSealBytes),
          "a seal can be read");
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static SmallModel model;
  const MemoryFile file({data, size});
  read_or_refuse([&] {
    const train::RunState state = train::read_checkpoint(file.path(), model.store, model.backend);
    require(state.skipped_batches.size() <= size, "a list is no larger than its file");
    require(state.step >= 0 && state.restarts >= 0, "counts are counts");
    train::from_json(state.configuration);
  });
  return 0;
}
