// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "barlow/base/error.hpp"
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
    CHECK(checkpoints.load(run.store, *run.backend).step == step);
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
      writer.begin(run.set(step), {.look = {}, .milestone_epoch = step % 3 ? 0 : step});
  }  // the end waits for the last
  CHECK(checkpoints.load_state().step == 6);
  CHECK(read_checkpoint_state(folder.path / "checkpoint.previous.h5").step == 5);
  for (const int epoch : {3, 6}) {
    const std::string name = "checkpoint.epoch-000" + std::to_string(epoch) + ".h5";
    CHECK(read_checkpoint_state(folder.path / name).step == epoch);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 4);
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
  CHECK(checkpoints.load_state().step == 1);
  std::filesystem::remove_all(folder.path / "checkpoint.h5.tmp");
  writer.begin(run.set(3), {});
  CHECK_NOTHROW(writer.finish());
  CHECK(checkpoints.load_state().step == 3);
}

TEST_CASE("what a killed job left is removed, and nothing else") {
  const TemporaryFolder folder("barlow-writer");
  for (const char* name : {"checkpoint.h5.tmp", "checkpoint.epoch-0003.h5.tmp", "checkpoint.h5", "notes.tmp"})
    std::filesystem::create_directory(folder.path / name);
  CheckpointFolder(folder.path).remove_leftovers();
  CHECK_FALSE(std::filesystem::exists(folder.path / "checkpoint.h5.tmp"));
  CHECK_FALSE(std::filesystem::exists(folder.path / "checkpoint.epoch-0003.h5.tmp"));
  CHECK(std::filesystem::exists(folder.path / "checkpoint.h5"));
  CHECK(std::filesystem::exists(folder.path / "notes.tmp"));
}
