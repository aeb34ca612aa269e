// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>

#include "barlow/base/error.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace barlow::fuzz {

using Bytes = std::span<const std::uint8_t>;

/// What must hold whatever the bytes are.
inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

/// Where files go: run.py names a folder in memory, and removes it.
inline std::filesystem::path scratch_folder() {
  const char* folder = std::getenv("BARLOW_FUZZ_FOLDER");
  return folder != nullptr ? folder : "/dev/shm";
}

/// Bytes as a file that a reader can open by name; gone with the object. (HDF5 resolves names, so a memfd would not
/// do.)
class MemoryFile {
 public:
  explicit MemoryFile(Bytes bytes) {
    static int number = 0;
    path_ = scratch_folder() / ("barlow-fuzz-" + std::to_string(getpid()) + "-" + std::to_string(number++ % 8));
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(descriptor_ >= 0, "a file can be made");
    while (!bytes.empty()) {
      const ssize_t count = write(descriptor_, bytes.data(), bytes.size());
      require(count > 0, "a file can be written");
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  ~MemoryFile() {
    close(descriptor_);
    unlink(path_.c_str());
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return descriptor_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Runs a reader. It may succeed or throw an Error; any other exception ends the process, which is a finding.
template <class Read>
void read_or_refuse(Read&& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

}  // namespace barlow::fuzz
