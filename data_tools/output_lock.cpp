// SPDX-License-Identifier: Apache-2.0
#include "output_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"
#include "barlow/base/log.hpp"

namespace barlow::data_tools {
namespace {

bool is_at(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat ours {
  }, there{};
  return fstat(file.get(), &ours) == 0 && stat(path.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

}  // namespace

OutputLock::OutputLock(const std::filesystem::path& output) : path_(output.string() + ".lock") {
  for (;;) {
    file_ = FileDescriptor(path_, O_RDWR | O_CREAT);
    if (!file_) throw DataError("cannot write \"" + path_.string() + "\": " + std::strerror(errno));
    const bool held = flock(file_.get(), LOCK_EX | LOCK_NB) == 0;
    const int code = errno;
    if (held && is_at(file_, path_)) return;
    if (!held && code != EWOULDBLOCK) {
      log::warning("cannot lock \"" + path_.string() + "\": " + std::strerror(code) +
                   "; a second packing to this output would not be refused");
      return;
    }
    if (!held) {
      throw DataError("another packing writes \"" + output.string() + "\"; wait for it, or choose another --output");
    }
    // Its holder has removed the file after we had opened it.
  }
}

OutputLock::~OutputLock() { unlink(path_.c_str()); }

}  // namespace barlow::data_tools
