// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace barlow {

// Constructors are written out: nvcc 13.0 crashes on inherited ones with a default source_location.

/// Root of every exception that the project throws. The message states the fact, the values and the remedy; `where`
/// is for the log, not for the user.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, std::source_location where = std::source_location::current())
      : std::runtime_error(what), where_(where) {}
  const std::source_location& where() const noexcept { return where_; }

 private:
  std::source_location where_;
};

/// The user can mend it: a command line, a configuration, an input. `main` returns 2.
class UserError : public Error {
 public:
  explicit UserError(const std::string& what, std::source_location where = std::source_location::current())
      : Error(what, where) {}
};

/// A flag or a key of the configuration is unknown, out of range, or contradicts another.
class ConfigError : public UserError {
 public:
  explicit ConfigError(const std::string& what, std::source_location where = std::source_location::current())
      : UserError(what, where) {}
};

/// A file of the user's is missing, corrupt, or of another kind.
class DataError : public UserError {
 public:
  explicit DataError(const std::string& what, std::source_location where = std::source_location::current())
      : UserError(what, where) {}
};

/// Two tensors do not fit an operation: a mistake in the program.
class ShapeError : public Error {
 public:
  explicit ShapeError(const std::string& what, std::source_location where = std::source_location::current())
      : Error(what, where) {}
};

/// A device library refused a call.
class DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& what, std::source_location where = std::source_location::current())
      : Error(what, where) {}
};

/// A call between ranks failed.
class CommError : public Error {
 public:
  explicit CommError(const std::string& what, std::source_location where = std::source_location::current())
      : Error(what, where) {}
};

/// The file system refused a write (no space, quota, read-only) or a read (a faulty disk, too many open files).
class StorageError : public Error {
 public:
  explicit StorageError(const std::string& what, std::source_location where = std::source_location::current())
      : Error(what, where) {}
};

}  // namespace barlow
