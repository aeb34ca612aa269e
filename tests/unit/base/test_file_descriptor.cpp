// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "barlow/base/file_descriptor.hpp"
#include "support/catch.hpp"

using barlow::FileDescriptor;
using barlow::read_at;

namespace {

struct SmallFile {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("barlow-file-descriptor-" + std::to_string(getpid()));
  SmallFile() { std::ofstream(path) << "0123456789"; }
  ~SmallFile() { std::filesystem::remove(path); }
};

bool is_open(int id) { return fcntl(id, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a descriptor is closed by its last owner, once", "[file_descriptor]") {
  const SmallFile file;
  int first = -1, second = -1;
  {
    FileDescriptor one(file.path, O_RDONLY);
    first = one.get();
    REQUIRE(is_open(first));
    FileDescriptor moved(std::move(one));
    CHECK(moved.get() == first);
    moved = FileDescriptor(file.path, O_RDONLY);
    second = moved.get();
    CHECK_FALSE(is_open(first));
    CHECK(is_open(second));
  }
  CHECK_FALSE(is_open(second));
}

TEST_CASE("a file that cannot be opened leaves its reason in errno", "[file_descriptor]") {
  const FileDescriptor none("/nowhere/at/all", O_RDONLY);
  const int code = errno;
  CHECK_FALSE(none);
  CHECK(code == ENOENT);
}

TEST_CASE("a read says how much was there, and tells an end from an error", "[file_descriptor]") {
  const SmallFile file;
  std::array<char, 8> bytes{};
  const FileDescriptor readable(file.path, O_RDONLY);
  CHECK(read_at(readable, 2, bytes.data(), 4) == 4);
  CHECK(std::string(bytes.data(), 4) == "2345");
  CHECK(read_at(readable, 7, bytes.data(), 8) == 3);
  CHECK(errno == 0);
  CHECK(read_at(readable, 10, bytes.data(), 8) == 0);
  const FileDescriptor writable(file.path, O_WRONLY);
  CHECK(read_at(writable, 0, bytes.data(), 1) == -1);
}
