// SPDX-License-Identifier: Apache-2.0
// A shard: Dataset::open, and every sample of what it opens.
#include "barlow/data/dataset.hpp"
#include "barlow/data/image_decoder.hpp"
#include "support.hpp"

using namespace barlow;
using namespace barlow::fuzz;

namespace {

void read_sample(const data::Dataset& set, std::int64_t index, std::size_t file_bytes) {
  static data::ImageDecoder decoder;
  const data::SampleInfo& info = set.info(index);
  require(info.label >= -1 && info.label < static_cast<std::int32_t>(set.class_names().size()), "a label has a class");
  require(info.size_bytes >= 0 && static_cast<std::size_t>(info.size_bytes) <= file_bytes, "a sample is in its file");
  set.describe(index);
  std::vector<std::uint8_t> bytes;
  set.read(index, bytes);
  data::Image image;
  constexpr std::int64_t kMaxPixels = 1 << 18;
  if (info.encoding == data::Encoding::kRaw || (!bytes.empty() && [&] {
        const data::SampleInfo found = data::identify_image(bytes);
        return std::int64_t{found.width} * found.height <= kMaxPixels;
      }()))
    decoder.decode(bytes, info, image);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file({data, size});
  read_or_refuse([&] {
    const data::Dataset set = data::Dataset::open(file.path());
    require(set.size() <= static_cast<std::int64_t>(size), "a set is no larger than its file");
    for (std::int64_t i = 0; i < std::min<std::int64_t>(set.size(), 64); ++i)
      read_or_refuse([&] { read_sample(set, i, size); });
  });
  return 0;
}
