// SPDX-License-Identifier: Apache-2.0
// decode_image FILE OUTPUT: writes the pixels, [height, width, 3], that ImageDecoder makes of an image file.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "barlow/base/error.hpp"
#include "barlow/data/image_decoder.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
  const std::vector<std::uint8_t> bytes(content.begin(), content.end());
  try {
    barlow::data::Image image;
    barlow::data::ImageDecoder().decode(bytes, barlow::data::identify_image(bytes), image);
    std::ofstream(argv[2], std::ios::binary)
        .write(reinterpret_cast<const char*>(image.pixels.data()), static_cast<std::streamsize>(image.pixels.size()));
    std::printf("%d %d\n", image.width, image.height);
  } catch (const barlow::DataError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
