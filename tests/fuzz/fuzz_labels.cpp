// SPDX-License-Identifier: Apache-2.0
// The file of labels of an archive of images: the archive is made with as many images as the file has lines.
#include <algorithm>
#include <cstring>

#include "source_items.hpp"

using namespace barlow;
using namespace barlow::fuzz;

namespace {

/// Headers of empty files.
std::vector<std::uint8_t> archive_of(std::size_t count) {
  std::vector<std::uint8_t> archive(512 * (count + 2));
  for (std::size_t i = 0; i < count; ++i) {
    auto* header = reinterpret_cast<char*>(&archive[512 * i]);
    std::snprintf(header, 100, "%06zu.JPEG", i);
    std::strcpy(header + 124, "00000000000");
    header[156] = '0';
    unsigned sum = 0;
    for (std::size_t b = 0; b < 512; ++b) sum += b >= 148 && b < 156 ? ' ' : archive[512 * i + b];
    std::snprintf(header + 148, 8, "%06o", sum);
  }
  return archive;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile labels({data, size});
  read_or_refuse([&] {
    const std::size_t lines = data_tools::read_lines(labels.path()).size();
    if (lines > 256) return;
    const MemoryFile archive(archive_of(lines));
    std::vector<std::string> warnings;
    const auto source =
        data_tools::open_imagenet_validation({.paths = {archive.path()}, .labels = labels.path()}, warnings);
    read_items(source);
    require(source.class_names.size() <= 100'001, "classes have a limit");
  });
  return 0;
}
