// SPDX-License-Identifier: Apache-2.0
// A file of a run folder, as `barlow report`, `barlow status` and a run that goes on read it: one byte that says which,
// then the file.
#include <array>
#include <fstream>

#include "barlow/report/report.hpp"
#include "barlow/train/metrics.hpp"
#include "support.hpp"

using namespace barlow;
using namespace barlow::fuzz;
namespace fs = std::filesystem;

namespace {

/// A folder of this process in memory.
struct Folder {
  fs::path path = scratch_folder() / ("barlow-fuzz-run-" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

void write(const fs::path& path, Bytes bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static const Folder folder;
  constexpr std::array kNames = {"metrics.jsonl", "config.toml", "evaluation.json", "snapshot.h5"};
  for (std::size_t i = 1; i < kNames.size(); ++i) fs::remove(folder.path / kNames[i]);
  write(folder.path / kNames[0], {});
  write(folder.path / kNames[data[0] % kNames.size()], {data + 1, size - 1});
  read_or_refuse([&] { report::write_report(folder.path, folder.path / "report.html"); });
  if (data[0] % kNames.size() != 0) return 0;
  read_or_refuse([&] {
    if (const auto last = train::last_metrics(folder.path / kNames[0])) train::to_line(*last);
  });
  read_or_refuse([&] { train::MetricsFile(folder.path / kNames[0], 3); });
  return 0;
}
