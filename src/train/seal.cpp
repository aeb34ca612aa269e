// SPDX-License-Identifier: Apache-2.0
#include "seal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "barlow/base/checksum.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"
#include "barlow/base/files.hpp"
#include "storage.hpp"

namespace barlow::train {
namespace {

namespace fs = std::filesystem;

using Block = std::array<char, kSealBytes>;
constexpr std::array<unsigned char, 8> kHdf5 = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

/// The seal that the rest of the file asks for, zero behind its line; empty when the file cannot be read.
std::pair<bool, Block> seal_of(const FileDescriptor& file) {
  std::vector<unsigned char> chunk(std::size_t{1} << 20);
  std::int64_t offset = kSealBytes;
  std::uint32_t sum = 0;
  for (;;) {
    const std::int64_t count = read_at(file, offset, chunk.data(), chunk.size());
    if (count < 0) return {false, {}};
    sum = crc32_of(chunk.data(), static_cast<std::size_t>(count), sum);
    offset += count;
    if (static_cast<std::size_t>(count) < chunk.size()) break;
  }
  Block block{};
  std::snprintf(block.data(), block.size(), "barlow checkpoint: %llu bytes, those after byte %llu have CRC-32 %08x\n",
                static_cast<unsigned long long>(offset), static_cast<unsigned long long>(kSealBytes), sum);
  return {true, block};
}

}  // namespace

void seal(const fs::path& path) {
  const auto fail = [&] {
    throw StorageError("cannot write \"" + path.string() + "\" (seal): " + std::strerror(errno));
  };
  {
    const FileDescriptor file(path, O_RDWR);
    if (!file) fail();
    const auto [readable, block] = seal_of(file);
    if (!readable || ::pwrite(file.get(), block.data(), block.size(), 0) != static_cast<ssize_t>(block.size())) fail();
  }
  flush_file(path);
}

void require_seal(const fs::path& path) {
  const auto damaged = [&](const char* what) {
    throw DataError("\"" + path.string() + "\": " + what + "; the file is damaged");
  };
  const FileDescriptor file(path, O_RDONLY);
  if (!file && (errno == ENOENT || errno == ENOTDIR))
    throw DataError("\"" + path.string() + "\" cannot be opened: " + std::strerror(errno));
  if (!file) fail_reading(path, errno);
  Block found{};
  const std::int64_t count = read_at(file, 0, found.data(), found.size());
  if (count < 0) fail_reading(path, errno);
  if (count != static_cast<std::int64_t>(found.size())) damaged("it is cut");
  if (std::memcmp(found.data(), kHdf5.data(), kHdf5.size()) == 0) {
    throw ConfigError(
        "\"" + path.string() +
        "\": checkpoint format 1, or no checkpoint; this program reads format 2. Continue with the version "
        "that wrote it, or begin another --output with --initial-weights");
  }
  const auto [readable, expected] = seal_of(file);
  if (!readable) fail_reading(path, errno);
  if (found != expected) damaged("it does not match its checksum");
}

}  // namespace barlow::train
