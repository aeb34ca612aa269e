// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/train/checkpoint_writer.hpp"
#include "small_run.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;
using barlow::testing::SmallRun;
using barlow::testing::TemporaryFolder;

TEST_CASE("a checkpoint holds the moment it was begun, whatever training does meanwhile") {
  const TemporaryFolder folder("barlow-writer");
  SmallRun run;
  const CheckpointFolder checkpoints(folder.path);
  CheckpointWriter writer(checkpoints, run.store, *run.backend);
  CHECK(writer.wait() == -1);
  for (int step = 1; step <= 6; ++step) {
    const RunState state = run.set(step);
    const std::vector<float> expected = run.values();
    writer.begin(state, {});
    run.set(1000 + step);  // the next step, while the writer writes
    CHECK(writer.wait() == step);
    CHECK(checkpoints.load_to_go_on(run.store, *run.backend).step == step);
    CHECK(run.values() == expected);
  }
  CHECK(writer.longest_write_s() > 0);
  CHECK_NOTHROW(writer.finish());
}

TEST_CASE("every begun checkpoint is written, one at a time and in order") {
  const TemporaryFolder folder("barlow-writer");
  SmallRun run;
  const CheckpointFolder checkpoints(folder.path);
  {
    CheckpointWriter writer(checkpoints, run.store, *run.backend);
    for (int step = 1; step <= 6; ++step)
      writer.begin(run.set(step), {.snapshot = {}, .milestone_epoch = step % 3 ? 0 : step});
  }  // the end waits for the last
  CHECK(checkpoints.newest_whole().state.step == 6);
  CHECK(read_checkpoint_state(folder.path / "checkpoint.previous.h5").step == 5);
  for (const int epoch : {3, 6}) {
    const std::string name = "checkpoint.epoch-000" + std::to_string(epoch) + ".h5";
    CHECK(read_checkpoint_state(folder.path / name).step == epoch);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 4);
}

TEST_CASE("whoever looks finds a newest checkpoint while others are saved") {
  const TemporaryFolder folder("barlow-writer");
  const auto newest = folder.path / "checkpoint.h5";
  SmallRun run;
  CheckpointWriter writer(CheckpointFolder(folder.path), run.store, *run.backend);
  writer.begin(run.set(1), {});
  writer.wait();
  std::error_code no_links;
  std::filesystem::create_hard_link(newest, folder.path / "second name", no_links);
  if (no_links) return;  // such a file system has to rename twice
  std::atomic<bool> saved{false};
  int looks = 0, missing = 0;
  std::thread reader([&] {
    for (; !saved; ++looks) missing += std::filesystem::exists(newest) ? 0 : 1;
  });
  for (int step = 2; step <= 60; ++step) writer.begin(run.set(step), {});
  writer.wait();
  saved = true;
  reader.join();
  CHECK(looks > 60);
  CHECK(missing == 0);
}

TEST_CASE("an error that ends the model does not spoil the checkpoint in flight") {
  const TemporaryFolder folder("barlow-writer");
  auto run = std::make_unique<SmallRun>();
  const std::unique_ptr<Backend> backend = std::move(run->backend);
  const RunState state = run->set(1);
  {
    CheckpointWriter writer(CheckpointFolder(folder.path), run->store, *backend);
    writer.begin(state, {});
    run.reset();
  }
  SmallRun found;
  CHECK(CheckpointFolder(folder.path).load_to_go_on(found.store, *found.backend).step == 1);
}

TEST_CASE("a checkpoint that cannot be written costs nothing but itself") {
  const TemporaryFolder folder("barlow-writer");
  SmallRun run;
  const CheckpointFolder checkpoints(folder.path);
  CheckpointWriter writer(checkpoints, run.store, *run.backend);
  writer.begin(run.set(1), {});
  CHECK_NOTHROW(writer.finish());
  std::filesystem::create_directories(folder.path / "checkpoint.h5.tmp" / "in the way");
  writer.begin(run.set(2), {});
  CHECK(writer.wait() == 1);
  CHECK_THROWS_AS(writer.finish(), StorageError);
  CHECK(checkpoints.newest_whole().state.step == 1);
  std::filesystem::remove_all(folder.path / "checkpoint.h5.tmp");
  writer.begin(run.set(3), {});
  CHECK_NOTHROW(writer.finish());
  CHECK(checkpoints.newest_whole().state.step == 3);
}

TEST_CASE("what a killed job left is removed, and nothing else") {
  const TemporaryFolder folder("barlow-writer");
  const std::vector<std::string> left = {"checkpoint.h5.tmp", "checkpoint.epoch-0003.h5.tmp", "snapshot.h5.tmp"};
  for (const std::string& name : left) std::filesystem::create_directory(folder.path / name);
  for (const char* name : {"checkpoint.h5", "notes.tmp"}) std::filesystem::create_directory(folder.path / name);
  CheckpointFolder(folder.path).remove_leftovers();
  for (const std::string& name : left) CHECK_FALSE(std::filesystem::exists(folder.path / name));
  CHECK(std::filesystem::exists(folder.path / "checkpoint.h5"));
  CHECK(std::filesystem::exists(folder.path / "notes.tmp"));
}

TEST_CASE("a damaged newest checkpoint never takes the place of the last whole one") {
  const TemporaryFolder folder("barlow-writer");
  const auto newest = folder.path / "checkpoint.h5", previous = folder.path / "checkpoint.previous.h5";
  log::configure(log::Level::kNormal, false);
  SmallRun run;
  const CheckpointFolder checkpoints(folder.path);
  CheckpointWriter writer(checkpoints, run.store, *run.backend);
  for (const int step : {1, 2}) writer.begin(run.set(step), {});
  writer.wait();
  std::filesystem::resize_file(newest, 1000);
  CHECK(checkpoints.newest_whole().state.step == 1);
  CHECK(std::filesystem::exists(newest));  // who only reads changes nothing
  CHECK(checkpoints.load_to_go_on(run.store, *run.backend, {}).step == 1);
  CHECK(read_checkpoint_state(newest).step == 1);  // a run without a step left ends with a newest one, too
  CHECK_FALSE(std::filesystem::exists(previous));
  CHECK(std::filesystem::file_size(folder.path / "checkpoint.damaged.h5") == 1000);
  writer.begin(run.set(3), {});
  writer.wait();
  CHECK(read_checkpoint_state(previous).step == 1);
  CHECK(read_checkpoint_state(newest).step == 3);
  log::configure(log::Level::kNormal, true);
}

TEST_CASE("a run that has only milestones left goes on from the latest") {
  const TemporaryFolder folder("barlow-writer");
  log::configure(log::Level::kNormal, false);
  SmallRun run;
  const CheckpointFolder checkpoints(folder.path);
  CHECK_FALSE(checkpoints.has_checkpoint());
  {
    CheckpointWriter writer(checkpoints, run.store, *run.backend);
    for (const int epoch : {9999, 10000, 2}) writer.begin(run.set(epoch), {.snapshot = {}, .milestone_epoch = epoch});
  }
  std::ofstream(folder.path / "checkpoint.epoch-99999.h5.tmp") << "of a killed job";
  for (const char* name : {"checkpoint.h5", "checkpoint.previous.h5"}) std::filesystem::remove(folder.path / name);
  CHECK(checkpoints.has_checkpoint());
  CHECK(checkpoints.load_to_go_on(run.store, *run.backend, {}).step == 10000);
  std::filesystem::resize_file(folder.path / "checkpoint.epoch-10000.h5", 1000);
  CHECK_THROWS_AS(checkpoints.newest_whole(), DataError);
  log::configure(log::Level::kNormal, true);
}
