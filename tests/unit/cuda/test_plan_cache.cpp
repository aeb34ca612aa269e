// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "backend/cuda/plan_cache.hpp"
#include "support/catch.hpp"

using barlow::cuda::PlanCache;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / ("barlow-plans-" + std::to_string(getpid()));
  ~Folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("a plan that was kept is found again, for the same device and library only") {
  const Folder folder;
  PlanCache cache(folder.path, "NVIDIA H200, sm_90", "cuDNN 9.19.0");
  CHECK_FALSE(cache.find("bf16 forward").has_value());
  cache.keep("bf16 forward", "eng7");
  CHECK(PlanCache(folder.path, "NVIDIA H200, sm_90", "cuDNN 9.19.0").find("bf16 forward") == "eng7");
  CHECK_FALSE(PlanCache(folder.path, "NVIDIA A100, sm_80", "cuDNN 9.19.0").find("bf16 forward").has_value());
  CHECK_FALSE(PlanCache(folder.path, "NVIDIA H200, sm_90", "cuDNN 9.20.0").find("bf16 forward").has_value());
}

TEST_CASE("a broken or foreign file is ignored and replaced") {
  const Folder folder;
  PlanCache cache(folder.path, "device", "library");
  cache.keep("a", "1");
  for (const char* content : {"", "{", "[]", R"({"device": "device", "library": "library", "plans": {"a": 1}})",
                              R"({"device": "other", "library": "library", "plans": {"a": "1"}})"}) {
    std::ofstream(cache.file()) << content;
    PlanCache again(folder.path, "device", "library");
    CHECK_FALSE(again.find("a").has_value());
    again.keep("b", "2");
    CHECK(PlanCache(folder.path, "device", "library").find("b") == "2");
  }
}

TEST_CASE("without a folder, plans are remembered by the process alone") {
  PlanCache cache({}, "device", "library");
  cache.keep("a", "1");
  CHECK(cache.find("a") == "1");
}
