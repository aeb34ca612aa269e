// SPDX-License-Identifier: Apache-2.0
// Steps that are recorded once and replayed are the steps that are not, bit for bit; and when what is recorded.
#include <unistd.h>

#include <filesystem>

#include "barlow/comm/make_collectives.hpp"
#include "support/catch.hpp"
#include "support/fake_device.hpp"
#include "support/mpi_require.hpp"
#include "support/small_training.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

/// One training on a fake device, and how often it recorded and replayed.
struct Replayed {
  Trajectory trajectory;
  std::int64_t recordings, replays;
};

enum class Refuses { kNobody, kEverybody, kLastRank };

Replayed run_training(bool record, Course course, DType dtype = DType::kF32, Refuses refuses = Refuses::kNobody,
                      const std::function<void(train::TrainingStep&, Backend&, int)>& before = {}) {
  const MpiSession& session = test_session();
  FakeDevice device;
  device.refuses_to_record =
      refuses == Refuses::kEverybody || (refuses == Refuses::kLastRank && session.rank() + 1 == session.world_size());
  const auto host = make_collectives(session);
  FakeDeviceCollectives collectives(*host, device);
  SmallTraining training(dtype, session.world_size());
  training.options.record = record;
  train::TrainingStep step(training.config, training.options, device, collectives);
  if (before) course.before = [&](int i) { before(step, device, i); };
  Trajectory trajectory = train_steps(step, device, session.rank(), training.options.local_batch, course);
  return {std::move(trajectory), device.num_recordings, device.num_replays};
}

void check_same(const Replayed& actual, const Replayed& expected) {
  CHECK((actual.trajectory.losses == expected.trajectory.losses));
  CHECK((actual.trajectory.values == expected.trajectory.values));
  CHECK((actual.trajectory.buffers == expected.trajectory.buffers));
  CHECK((actual.trajectory.embeddings == expected.trajectory.embeddings));
}

}  // namespace

TEST_CASE("ten steps replayed are ten steps") {
  const Replayed eager = run_training(false, {.num_steps = 10}), replayed = run_training(true, {.num_steps = 10});
  check_same(replayed, eager);
  CHECK(eager.recordings + eager.replays == 0);
  CHECK(replayed.recordings == 1);  // the second step's
  CHECK(replayed.replays == 9);
}

TEST_CASE("another batch size is computed, and what follows recorded anew") {
  const std::int64_t full = SmallTraining::kBatch / test_session().world_size();
  const Course course{.num_steps = 9, .images_of = [&](int i) { return i == 4 ? full / 2 : full; }};
  const Replayed replayed = run_training(true, course);
  check_same(replayed, run_training(false, course));
  CHECK(replayed.recordings == 2);
  CHECK(replayed.replays == 3 + 3);  // steps 1 to 3, and 6 to 8
}

TEST_CASE("another loss scale takes effect") {
  const auto scale = [](train::TrainingStep& step, Backend&, int i) {
    step.loss_scale().value = i < 4 ? 8 : i < 5 ? 4 : 2;
  };
  const Course course{.num_steps = 8};
  const Replayed replayed = run_training(true, course, DType::kF32, Refuses::kNobody, scale);
  check_same(replayed, run_training(false, course, DType::kF32, Refuses::kNobody, scale));
  CHECK(replayed.recordings == 2);
  CHECK(replayed.replays == 3 + 2);  // steps 1 to 3, and 6 to 7
}

TEST_CASE("weights that are written between steps, by a rollback, are seen") {
  const auto restart = [](train::TrainingStep& step, Backend& device, int i) {
    if (i == 4) nn::initialize(step.store(), device, 5);
  };
  const Replayed replayed = run_training(true, {.num_steps = 6}, DType::kF32, Refuses::kNobody, restart);
  check_same(replayed, run_training(false, {.num_steps = 6}, DType::kF32, Refuses::kNobody, restart));
  CHECK(replayed.replays == 5);
}

TEST_CASE("profiled steps are computed piece by piece") {
  double now = 0;
  train::Profiler profiler([] {}, [&] { return now += 1; });
  const Course course{.num_steps = 8,
                      .before =
                          [&](int i) {
                            if (i == 3 || i == 4) profiler.begin_step(i);
                            if (i == 5) profiler.end_step();
                          },
                      .profiler = &profiler};
  const Replayed replayed = run_training(true, course);
  check_same(replayed, run_training(false, {.num_steps = 8}));
  CHECK(replayed.recordings == 2);
  CHECK(replayed.replays == 2 + 2);  // steps 1 and 2, and 6 and 7
  CHECK(profiler.times().of(train::Phase::kBackward).calls == 2);
}

TEST_CASE("traced steps are computed piece by piece") {
  const auto file = std::filesystem::temp_directory_path() / ("barlow-replay-" + std::to_string(getpid()) + ".h5");
  train::Trace trace(file, 3, "{}", test_session());
  const auto begin = [&](train::TrainingStep& step, Backend& device, int i) { trace.begin(i, step.store(), device); };
  const Replayed replayed = run_training(true, {.num_steps = 3, .trace = &trace}, DType::kF32, Refuses::kNobody, begin);
  trace.close();
  std::filesystem::remove(file);
  check_same(replayed, run_training(false, {.num_steps = 3}));
  CHECK(replayed.recordings == 0);
}

TEST_CASE("where a device refuses, on one rank too, all compute") {
  const Refuses refuses = GENERATE(Refuses::kEverybody, Refuses::kLastRank);
  const Replayed refused = run_training(true, {.num_steps = 5}, DType::kF32, refuses);
  check_same(refused, run_training(false, {.num_steps = 5}));
  CHECK(refused.replays == 0);
}

TEST_CASE("exchanges that need the host are not recorded") {
  if (test_session().world_size() == 1) return;
  FakeDevice device;
  const auto staged = make_collectives(test_session(), device, {.kind = "mpi", .share_device = true});
  CHECK_FALSE(staged->can_be_recorded());
  const SmallTraining training(DType::kF32, test_session().world_size());
  train::TrainingStep step(training.config, training.options, device, *staged);
  train_steps(step, device, test_session().rank(), training.options.local_batch, {});
  CHECK(device.num_recordings == 0);
}
