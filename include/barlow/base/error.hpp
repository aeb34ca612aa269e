// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace barlow {

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
  using Error::Error;
};

/// A flag or a key of the configuration is unknown, out of range, or contradicts another.
class ConfigError : public UserError {
  using UserError::UserError;
};

/// A file of the user's is missing, corrupt, or of another kind.
class DataError : public UserError {
  using UserError::UserError;
};

/// Two tensors do not fit an operation: a mistake in the program.
class ShapeError : public Error {
  using Error::Error;
};

/// A device library refused a call.
class DeviceError : public Error {
  using Error::Error;
};

/// A call between ranks failed.
class CommError : public Error {
  using Error::Error;
};

/// The file system refused a write (no space, quota, read-only).
class StorageError : public Error {
  using Error::Error;
};

}  // namespace barlow
