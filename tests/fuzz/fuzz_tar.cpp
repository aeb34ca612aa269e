// SPDX-License-Identifier: Apache-2.0
// ImageNet's archives: one byte, even for the training archive of class archives and odd for an archive of images, then
// the archive. Checksums of headers that a mutation broke are mostly put right.
#include <cstring>

#include "source_items.hpp"

using namespace barlow;
using namespace barlow::fuzz;

namespace {

constexpr std::size_t kBlock = 512;

void mend_header(std::uint8_t* header) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : header[i];
  std::snprintf(reinterpret_cast<char*>(header + 148), 8, "%06o", sum);
  header[155] = ' ';
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 16 == 0) return size;
  for (std::size_t at = 1; at + kBlock <= size; at += kBlock) {
    if (std::memcmp(data + at + 257, "ustar", 5) == 0) mend_header(data + at);
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const MemoryFile file({data + 1, size - 1});
  data_tools::SourceOptions options{.paths = {file.path()}};
  options.skip_empty_classes = (data[0] & 2) != 0;
  std::vector<std::string> warnings;
  read_or_refuse([&] {
    read_items(data[0] % 2 == 0 ? data_tools::open_imagenet_train(options, warnings)
                                : data_tools::open_imagenet_validation(options, warnings));
  });
  return 0;
}
