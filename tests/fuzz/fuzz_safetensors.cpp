// SPDX-License-Identifier: Apache-2.0
// A safetensors file: read_safetensors, and that its tensors are written and read again as they are.
#include "backend/measuring_backend.hpp"
#include "barlow/train/safetensors.hpp"
#include "barlow/train/tensor_files.hpp"
#include "small_model.hpp"
#include "support.hpp"

using namespace barlow;
using namespace barlow::fuzz;

namespace {

void check(const std::vector<train::NamedTensor>& tensors, std::size_t file_bytes) {
  std::size_t total = 0;
  for (const train::NamedTensor& tensor : tensors) {
    require(tensor.data.size() == static_cast<std::size_t>(tensor.shape.num_elements()) * size_of(tensor.dtype),
            "a tensor has the bytes of its shape");
    total += tensor.data.size();
  }
  require(total <= file_bytes, "tensors are no larger than their file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static SmallModel model;
  const MemoryFile file({data, size});
  read_or_refuse([&] { check(train::read_safetensors(file.path()), size); });
  read_or_refuse([&] { train::load_initial_weights(file.path(), model.store, model.backend); });
  return 0;
}
