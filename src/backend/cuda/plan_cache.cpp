// SPDX-License-Identifier: Apache-2.0
#include "plan_cache.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "barlow/base/log.hpp"

namespace barlow::cuda {
namespace {

namespace fs = std::filesystem;

std::string as_file_name(std::string text) {
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.') c = '-';
  }
  return text;
}

}  // namespace

PlanCache::PlanCache(fs::path folder, std::string device, std::string library)
    : folder_(std::move(folder)), device_(std::move(device)), library_(std::move(library)) {
  if (folder_.empty()) return;
  file_ = folder_ / as_file_name("plans-" + device_ + "-" + library_ + ".json");
  read();
}

std::optional<std::string> PlanCache::find(const std::string& convolution) const {
  const auto found = plans_.find(convolution);
  return found == plans_.end() ? std::nullopt : std::optional(found->second);
}

void PlanCache::keep(const std::string& convolution, const std::string& plan) {
  plans_[convolution] = plan;
  if (!folder_.empty()) write();
}

void PlanCache::read() {
  std::ifstream file(file_);
  if (!file) return;
  try {
    const auto json = nlohmann::json::parse(file);
    if (json.at("device") != device_ || json.at("library") != library_) {
      log::warning(fmt::format("plan cache \"{}\" is of another device or library; it is ignored", file_.string()));
      return;
    }
    plans_ = json.at("plans").get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception& error) {
    plans_.clear();
    log::warning(fmt::format("plan cache \"{}\" is broken and ignored: {}", file_.string(), error.what()));
  }
}

/// Under a temporary name first: ranks of one host share the file, and the last one wins whole.
void PlanCache::write() {
  std::error_code error;
  fs::create_directories(folder_, error);
  const fs::path temporary = file_.string() + "." + std::to_string(getpid());
  {
    std::ofstream file(temporary);
    file << nlohmann::json{{"device", device_}, {"library", library_}, {"plans", plans_}}.dump(1) << "\n";
    if (!file.flush()) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) fs::rename(temporary, file_, error);
  if (!error) return;
  std::error_code ignored;
  fs::remove(temporary, ignored);
  if (!warned_) log::warning(fmt::format("cannot keep the plan cache \"{}\": {}", file_.string(), error.message()));
  warned_ = true;
}

fs::path PlanCache::default_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const fs::path folder = variable("BARLOW_CACHE"); !folder.empty()) return folder;
  if (const fs::path folder = variable("XDG_CACHE_HOME"); !folder.empty()) return folder / "barlow";
  if (const fs::path folder = variable("HOME"); !folder.empty()) return folder / ".cache" / "barlow";
  return {};
}

}  // namespace barlow::cuda
