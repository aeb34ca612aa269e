// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "barlow/comm/make_collectives.hpp"
#include "profile_report.hpp"
#include "profiled_collectives.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;

namespace {

/// A profiler whose clock the test turns.
struct Hand {
  double now_s = 100;
  int waits = 0;
  Profiler profiler{[this] { ++waits; }, [this] { return now_s; }};

  void work(Phase phase, double seconds) {
    const PhaseScope scope(&profiler, phase);
    now_s += seconds;
  }
};

}  // namespace

TEST_CASE("a second counts once, for the innermost phase, and all seconds count") {
  Hand hand;
  hand.profiler.begin_step(7);
  hand.work(Phase::kInputWait, 1);
  {
    PhaseScope phase(&hand.profiler, Phase::kForward);
    hand.now_s += 2;
    hand.work(Phase::kBatchNormExchange, 4);
    hand.now_s += 8;
    phase.next(Phase::kLoss);
    hand.now_s += 16;
  }
  hand.now_s += 32;
  hand.profiler.begin_step(8);
  hand.work(Phase::kForward, 64);
  hand.profiler.end_step();

  const StepTimes& times = hand.profiler.times();
  CHECK(times.first_step == 7);
  CHECK(times.step_seconds == std::vector<double>{63, 64});
  CHECK(times.step_starts_s == std::vector<double>{0, 63});
  CHECK(times.of(Phase::kInputWait).seconds == 1);
  CHECK(times.of(Phase::kForward).seconds == 2 + 8 + 64);
  CHECK(times.of(Phase::kBatchNormExchange).seconds == 4);
  CHECK(times.of(Phase::kLoss).seconds == 16);
  CHECK(times.of(Phase::kOther).seconds == 32);
  double sum = 0;
  for (const auto& totals : times.phases) sum += totals.seconds;
  CHECK(sum == 63 + 64);
  REQUIRE(times.events.size() == 5);
  CHECK(times.events[1].phase == Phase::kBatchNormExchange);
  CHECK(times.events[1].start_s == 3);
  CHECK(times.events[2].duration_s == 14);  // with the exchange inside it
}

TEST_CASE("between steps nothing is recorded, and the device is not waited for") {
  Hand hand;
  hand.work(Phase::kForward, 1);
  const PhaseScope off(nullptr, Phase::kForward);
  CHECK(hand.waits == 0);
  hand.profiler.begin_step(0);
  hand.work(Phase::kForward, 1);
  hand.profiler.end_step();
  CHECK(hand.waits > 0);
  hand.work(Phase::kForward, 1);
  CHECK(hand.profiler.times().of(Phase::kForward).seconds == 1);
}

TEST_CASE("a step that is not done leaves no trace") {
  Hand hand;
  hand.profiler.begin_step(0);
  hand.work(Phase::kForward, 1);
  hand.profiler.begin_step(1);
  hand.work(Phase::kInputWait, 5);
  hand.profiler.drop_step();
  hand.work(Phase::kCheckpoint, 5);
  hand.profiler.end_step();
  const StepTimes& times = hand.profiler.times();
  CHECK(times.step_seconds == std::vector<double>{1});
  CHECK(times.step_starts_s.size() == 1);
  CHECK(times.of(Phase::kInputWait).seconds == 0);
  CHECK(times.of(Phase::kInputWait).calls == 0);
  CHECK(times.events.size() == 1);
}

TEST_CASE("exchanges are told apart, and gradients overlap with what is done meanwhile") {
  Hand hand;
  const auto inner = make_measuring_collectives(4);
  ProfiledCollectives collectives(*inner, hand.profiler);
  std::vector<float> memory(4 * 100);
  const TensorView values(memory.data(), DType::kF32, {100});
  hand.profiler.begin_step(0);
  {
    PhaseScope phase(&hand.profiler, Phase::kForward);
    collectives.all_reduce_sum(values);
    phase.next(Phase::kLoss);
    collectives.all_reduce_sum(values);
    collectives.all_gather(values, TensorView(memory.data(), DType::kF32, {400}));
    phase.next(Phase::kBackward);
    hand.now_s += 1;
    collectives.progress();  // nothing on its way: not a reduction
    collectives.begin_all_reduce_sum(values);
    hand.now_s += 2;
    collectives.begin_all_reduce_sum(values);
    hand.now_s += 4;
    collectives.finish();
    phase.next(Phase::kLars);
    hand.now_s += 8;
  }
  hand.profiler.end_step();

  const StepTimes& times = hand.profiler.times();
  CHECK(times.of(Phase::kBatchNormExchange).bytes == 400);
  CHECK(times.of(Phase::kEmbeddingGather).bytes == 400 + 1600);
  CHECK(times.of(Phase::kGradientReduction).bytes == 800);
  CHECK(times.of(Phase::kGradientReduction).calls == 3);
  CHECK(times.gradients_in_flight_s == 6);
  const auto summary = nlohmann::json::parse(summary_of_rank(times, 0, "here"));
  CHECK(summary["gradients_overlapped_s"] == 6);
  CHECK(summary["gradients_exposed_s"] == 0);
  CHECK(summary["phases"]["backward"]["seconds"] == 7);
}

TEST_CASE("one rank exchanges no bytes") {
  Hand hand;
  const auto alone = make_self_collectives();
  ProfiledCollectives collectives(*alone, hand.profiler);
  std::vector<float> memory(100);
  hand.profiler.begin_step(0);
  collectives.all_reduce_sum(TensorView(memory.data(), DType::kF32, {100}));
  collectives.begin_all_reduce_sum(TensorView(memory.data(), DType::kF32, {100}));
  hand.now_s += 1;
  collectives.finish();
  hand.profiler.end_step();
  CHECK(hand.profiler.times().gradients_in_flight_s == 0);
  CHECK(hand.profiler.times().of(Phase::kBatchNormExchange).bytes == 0);
  CHECK(hand.profiler.times().of(Phase::kBatchNormExchange).calls == 1);
}

TEST_CASE("the summary is over ranks and steps, the trace is one rank's") {
  std::vector<std::string> ranks;
  for (int rank = 0; rank < 2; ++rank) {
    Hand hand;
    for (int step = 0; step < 2; ++step) {
      hand.profiler.begin_step(3 + step);
      hand.work(Phase::kForward, rank + 1);
      hand.work(Phase::kBatchNormExchange, 1 - rank);
    }
    hand.profiler.end_step();
    ranks.push_back(summary_of_rank(hand.profiler.times(), rank, "here"));
    const auto trace = nlohmann::json::parse(trace_of(hand.profiler.times(), rank, "here"));
    int bars = 0;
    for (const auto& event : trace["traceEvents"]) {
      CHECK(event["pid"] == rank);
      bars += event["ph"] == "X" ? 1 : 0;
    }
    CHECK(bars == 2 * (1 + 2));  // a step and two phases
  }
  const ProfileSummary summary = summarize(ranks, 10, "an abacus");
  const auto json = nlohmann::json::parse(summary.json);
  CHECK(json["device"] == "an abacus");
  CHECK(json["seconds_per_step"] == 2);
  CHECK(json["images_per_second"] == 5);
  CHECK(json["first_step"] == 4);
  CHECK(json["phases"]["forward"]["seconds"] == 1.5);
  CHECK(json["phases"]["forward"]["seconds_slowest_rank"] == 2);
  CHECK(json["ranks"][1]["wall_s"] == 4);
  CHECK(summary.table.size() == 2 + kNumPhases + 1);
}
