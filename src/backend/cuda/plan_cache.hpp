// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace barlow::cuda {

/// Which plan was fastest for which convolution, on disk: one JSON file per device and library version. A file that
/// is broken, or of another device or version, is ignored with a warning and replaced.
class PlanCache {
 public:
  /// @param folder  is made when the first entry is kept; empty: nothing is read or written
  PlanCache(std::filesystem::path folder, std::string device, std::string library);

  std::optional<std::string> find(const std::string& convolution) const;
  /// Remembers, on disk too. A disk that refuses costs a warning, once.
  void keep(const std::string& convolution, const std::string& plan);
  const std::filesystem::path& file() const { return file_; }

  /// $BARLOW_CACHE, else $XDG_CACHE_HOME/barlow, else $HOME/.cache/barlow; empty if there is none of these.
  static std::filesystem::path default_folder();

 private:
  void read();
  void write();

  std::filesystem::path folder_, file_;
  std::string device_, library_;
  std::map<std::string, std::string> plans_;
  bool warned_ = false;
};

}  // namespace barlow::cuda
