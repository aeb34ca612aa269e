// SPDX-License-Identifier: Apache-2.0
// A file of CIFAR's binary version, plain or gzip: one byte, even for CIFAR-10 and odd for CIFAR-100, then the file.
#include "source_items.hpp"

using namespace barlow;
using namespace barlow::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const MemoryFile file({data + 1, size - 1});
  read_or_refuse([&] { read_items(data_tools::open_cifar({.paths = {file.path()}}, data[0] % 2 == 0 ? 10 : 100)); });
  return 0;
}
