// SPDX-License-Identifier: Apache-2.0
// A pair of IDX files, plain or gzip: two bytes, the size of the images' file, then both files.
#include "source.hpp"
#include "source_items.hpp"

using namespace barlow;
using namespace barlow::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Bytes rest(data + 2, size - 2);
  const std::size_t cut = std::min<std::size_t>(data[0] | data[1] << 8, rest.size());
  const MemoryFile images(rest.first(cut)), labels(rest.subspan(cut));
  read_or_refuse([&] {
    const bool has_labels = cut < rest.size();
    read_items(data_tools::open_idx(
        {.paths = {images.path()}, .format = "idx", .labels = has_labels ? labels.path() : std::filesystem::path()}));
  });
  return 0;
}
