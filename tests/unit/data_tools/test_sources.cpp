// SPDX-License-Identifier: Apache-2.0
// Small sources that ask for much memory; tests/system/data_tools reads the others.
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <string>

#include "barlow/base/error.hpp"
#include "source.hpp"
#include "support/catch.hpp"

namespace fs = std::filesystem;
using namespace barlow;
using namespace barlow::data_tools;

namespace {

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("barlow-sources-" + std::to_string(getpid()));
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};

/// An archive of one empty file.
void write_archive(const fs::path& path) {
  std::string header(512, '\0');
  header.replace(0, 6, "a.JPEG");
  header.replace(124, 11, "00000000000");
  header[156] = '0';
  unsigned sum = 8 * ' ';
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  header.replace(148, 6, text, 6);
  std::ofstream(path, std::ios::binary) << header << std::string(1024, '\0');
}

}  // namespace

TEST_CASE("A label's number does not decide about memory") {
  const TemporaryFolder folder;
  write_archive(folder.path / "val.tar");
  const SourceOptions options{.paths = {folder.path / "val.tar"}, .labels = folder.path / "labels.txt"};
  std::ofstream(options.labels) << "21842\n";
  CHECK(open_imagenet_validation(options).class_names.size() == 21842);
  std::ofstream(options.labels) << "9999999\n";
  CHECK_THROWS_WITH(open_imagenet_validation(options), contains("9999999"));
}

TEST_CASE("A few kilobytes of IDX do not become gigabytes of names") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "images-idx3-ubyte.gz";
  constexpr std::int64_t kImages = (std::int64_t{1} << 25) + 1;  // of one pixel
  const gzFile file = gzopen(path.c_str(), "wb1");
  const unsigned char header[] = {0, 0, 8, 3, 2, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
  REQUIRE(gzwrite(file, header, sizeof header) == sizeof header);
  const std::vector<unsigned char> zeros(1 << 20);
  for (std::int64_t left = kImages; left > 0; left -= 1 << 20)
    gzwrite(file, zeros.data(), static_cast<unsigned>(std::min<std::int64_t>(left, 1 << 20)));
  REQUIRE(gzclose(file) == Z_OK);
  CHECK_THROWS_WITH(open_idx({.paths = {path}, .format = "idx", .labels = {}}), contains("too many"));
}
