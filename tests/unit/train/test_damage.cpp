// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/checkpoint_writer.hpp"
#include "small_run.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;
using barlow::testing::SmallRun;
using barlow::testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// Cuts the file, or changes some of its bytes: single bits, single bytes, a sector of zeros, two places exchanged.
std::string damaged_once(std::string content, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  // Half of the changes go to HDF5's own structures, which are a small part of a large file.
  const auto place = [&] {
    return below(random() % 2 == 0 ? std::min<std::size_t>(2048, content.size()) : content.size());
  };
  switch (below(6)) {
    case 0:
      content.resize(below(content.size()));
      break;
    case 1:
      content[place()] ^= static_cast<char>(1 << below(8));
      break;
    case 2:
      for (std::size_t i = 0, count = 1 + below(16); i < count; ++i) content[place()] = static_cast<char>(random());
      break;
    case 3: {
      const std::size_t first = content.size() / 512 > 0 ? 512 * below(content.size() / 512) : 0;
      for (std::size_t i = first; i < std::min(first + 512, content.size()); ++i) content[i] = '\0';
      break;
    }
    case 4:
      content.append(1 + below(5000), static_cast<char>(random()));
      break;
    default:
      std::swap(content[place()], content[place()]);
  }
  return content;
}

std::string damage(const std::string& content, std::mt19937& random) {
  std::string changed = content;
  while (changed == content) changed = damaged_once(content, random);  // two places exchanged may hold the same byte
  return changed;
}

}  // namespace

TEST_CASE("of 1,000 damaged checkpoints none loads as something else") {
  log::configure(log::Level::kNormal, false);
  const TemporaryFolder folder("barlow-damage");
  const CheckpointFolder checkpoints(folder.path);
  const fs::path newest = folder.path / "checkpoint.h5", previous = folder.path / "checkpoint.previous.h5";
  SmallRun run;
  CheckpointWriter writer(checkpoints, run.store, *run.backend);
  std::vector<std::vector<float>> values(3);
  for (const int step : {1, 2}) {
    writer.begin(run.set(step), {});
    values[static_cast<std::size_t>(step)] = run.values();
  }
  REQUIRE(writer.wait() == 2);
  const std::string second = read(newest), first = read(previous);

  std::mt19937 random(11);
  int unchanged = 0, back = 0, refused = 0, wrong = 0;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const std::string changed = damage(second, random);
    const bool both = attempt % 10 == 0;
    write(newest, changed);
    write(previous, both ? damage(first, random) : first);
    run.set(77);
    try {
      const RunState state = checkpoints.load_to_go_on(run.store, *run.backend);
      const bool same = (state.step == 1 || state.step == 2) && state.restarts == state.step % 3 &&
                        state.rank_seconds == 1.5 * state.step && state.configuration == "{\"seed\":7}" &&
                        state.data_fingerprint == "abc" &&
                        state.skipped_batches == std::vector<std::int64_t>{state.step + 4, 2} &&
                        run.values() == values[static_cast<std::size_t>(state.step)];
      wrong += same && state.step == 1 ? 0 : 1;
      ++(state.step == 2 ? unchanged : back);
    } catch (const DataError&) {
      ++refused;
      wrong += both ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
  CHECK(unchanged == 0);
  CHECK(back == 900);
  CHECK(refused == 100);
  log::configure(log::Level::kNormal, true);
}

TEST_CASE("every single byte of a checkpoint counts") {
  const TemporaryFolder folder("barlow-damage");
  SmallRun run;
  {
    CheckpointWriter writer(CheckpointFolder(folder.path), run.store, *run.backend);
    writer.begin(run.set(1), {});
  }
  const fs::path path = folder.path / "checkpoint.h5";
  std::string content = read(path);
  int accepted = 0;
  for (std::size_t position = 0; position < content.size(); position += position < 4096 ? 1 : 37) {
    content[position] ^= 0x10;
    write(path, content);
    try {
      read_checkpoint_state(path);
      ++accepted;
    } catch (const DataError&) {
    }
    content[position] ^= 0x10;
  }
  CHECK(accepted == 0);
  write(path, content);
  CHECK(read_checkpoint_state(path).step == 1);
}

TEST_CASE("a file of the format before is refused with the remedy, not passed over") {
  const TemporaryFolder folder("barlow-damage");
  SmallRun run;
  const CheckpointFolder checkpoints(folder.path);
  {
    CheckpointWriter writer(checkpoints, run.store, *run.backend);
    for (const int step : {1, 2}) writer.begin(run.set(step), {});
  }
  write(folder.path / "checkpoint.h5", read(folder.path / "checkpoint.h5").substr(512));
  CHECK_THROWS_AS(checkpoints.newest_whole(), ConfigError);
  std::string message;
  try {
    checkpoints.load_to_go_on(run.store, *run.backend);
  } catch (const ConfigError& error) {
    message = error.what();
  }
  CHECK(message.find("--initial-weights") != std::string::npos);
}

TEST_CASE("impossible counts in a sealed file are refused") {
  const TemporaryFolder folder("barlow-damage");
  const CheckpointFolder checkpoints(folder.path);
  SmallRun run;
  CheckpointWriter writer(checkpoints, run.store, *run.backend);
  const auto reads = [&](const RunState& state) {
    writer.begin(state, {});
    writer.wait();
    try {
      return read_checkpoint_state(folder.path / "checkpoint.h5").step == state.step;
    } catch (const DataError&) {
      return false;
    }
  };
  RunState state = run.set(1);
  CHECK(reads(state));
  state.step = -1;
  CHECK_FALSE(reads(state));
  state = run.set(1), state.restarts = -1;
  CHECK_FALSE(reads(state));
  state = run.set(1), state.loss_scale.value = 0;
  CHECK_FALSE(reads(state));
  state = run.set(1), state.loss_scale.value = std::numeric_limits<double>::infinity();
  CHECK_FALSE(reads(state));
}

TEST_CASE("a checkpoint that cannot be read is not taken for a damaged one") {
  const TemporaryFolder folder("barlow-damage");
  const CheckpointFolder checkpoints(folder.path);
  SmallRun run;
  {
    CheckpointWriter writer(checkpoints, run.store, *run.backend);
    for (const int step : {1, 2}) writer.begin(run.set(step), {});
  }
  const fs::path newest = folder.path / "checkpoint.h5";
  const auto load = [&] { return checkpoints.load_to_go_on(run.store, *run.backend, {}); };

  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  CHECK_THROWS_AS(load(), StorageError);  // too many open files
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK_FALSE(fs::exists(folder.path / "checkpoint.damaged.h5"));
  CHECK(load().step == 2);

  fs::rename(newest, folder.path / "whole.h5");
  fs::create_symlink("/proc/self/mem", newest);  // whose first bytes are an I/O error
  CHECK_THROWS_AS(load(), StorageError);
  CHECK(fs::is_symlink(newest));
  fs::rename(folder.path / "whole.h5", newest);
  CHECK(load().step == 2);
}
