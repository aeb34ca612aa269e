// SPDX-License-Identifier: Apache-2.0
// Whole steps on a device whose memory the host cannot touch and which runs late: the same bits as on the processor
// that it is made of, whatever exchanges between the ranks.
#include <algorithm>
#include <array>

#include "barlow/comm/make_collectives.hpp"
#include "barlow/data/view_plans.hpp"
#include "support/catch.hpp"
#include "support/fake_device.hpp"
#include "support/mpi_require.hpp"
#include "support/small_training.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

Trajectory train_on(Backend& backend, Collectives& collectives, const SmallTraining& training) {
  train::TrainingStep step(training.config, training.options, backend, collectives);
  return train_steps(step, backend, collectives.rank(), training.options.local_batch, {});
}

/// Batches of pixels and plans, each of which begins a step ahead. Staging memory is written anew as soon as its
/// batch's step is done.
class BatchesAhead {
 public:
  BatchesAhead(train::TrainingStep& step, Backend& backend, int rank, std::int64_t images)
      : step_(step), rank_(rank), images_(images), ids_(static_cast<std::size_t>(images)) {
    for (Buffer& place : places_) place = backend.allocate_staging(plans_bytes() + pixels_bytes());
    write(0);
  }

  train::StepInput input(int step) {
    step_.uploads().begin(at(step));
    write(step + 1);
    step_.uploads().begin(at(step + 1));
    return at(step);
  }

 private:
  static constexpr std::int64_t kViewBytes = SmallTraining::kSize * SmallTraining::kSize * 3;

  std::size_t num_plans() const { return static_cast<std::size_t>(2 * images_); }
  std::size_t plans_bytes() const { return num_plans() * sizeof(pixels::ViewPlan); }
  std::size_t pixels_bytes() const { return num_plans() * kViewBytes; }
  pixels::ViewPlan* plans(int step) { return static_cast<pixels::ViewPlan*>(places_.at(step % 2).data()); }
  std::uint8_t* pixels(int step) { return reinterpret_cast<std::uint8_t*>(plans(step) + num_plans()); }

  void write(int step) {
    std::ranges::copy(SmallTraining::pixels(step, rank_, images_), pixels(step));
    for (std::size_t i = 0; i < num_plans(); ++i) {
      plans(step)[i] = data::plan_of_view(SmallTraining::kSize);
      plans(step)[i].first_byte = static_cast<std::int64_t>(i) * kViewBytes;
    }
  }
  train::StepInput at(int step) {
    return {ConstTensorView(pixels(step), DType::kU8, {2 * images_ * kViewBytes}), ids_, {plans(step), num_plans()}};
  }

  train::TrainingStep& step_;
  int rank_;
  std::int64_t images_;
  std::vector<std::int64_t> ids_;
  std::array<Buffer, 2> places_;
};

}  // namespace

TEST_CASE("steps on a device of its own memory are steps on a processor") {
  const MpiSession& session = test_session();
  const ssl::LossForm form = GENERATE(ssl::LossForm::kGram, ssl::LossForm::kDirect);
  const SmallTraining training(DType::kF32, session.world_size(), form);
  const auto processor = make_backend({.device = "cpu", .num_threads = 1});
  const auto between_processors = make_collectives(session);
  const Trajectory expected = train_on(*processor, *between_processors, training);

  FakeDevice device;
  // One rank: none; more: staged through host memory.
  const auto between_devices = make_collectives(session, device, {.kind = "mpi", .share_device = true});
  CHECK((train_on(device, *between_devices, training) == expected));
  FakeDeviceCollectives in_order(*between_processors, device);
  CHECK((train_on(device, in_order, training) == expected));
}

TEST_CASE("views that the device makes a step ahead train as those that the host brings") {
  const MpiSession& session = test_session();
  SmallTraining training(DType::kF32, session.world_size());
  const auto processor = make_backend({.device = "cpu", .num_threads = 1});
  const auto between_processors = make_collectives(session);
  const Trajectory expected = train_on(*processor, *between_processors, training);

  FakeDevice device;
  FakeDeviceCollectives in_order(*between_processors, device);
  training.options.image_bytes = 2 * SmallTraining::kSize * SmallTraining::kSize * 3;
  train::TrainingStep step(training.config, training.options, device, in_order);
  BatchesAhead batches(step, device, session.rank(), training.options.local_batch);
  CHECK((train_steps(step, device, session.rank(), training.options.local_batch,
                     {.input = [&](int i) { return batches.input(i); }}) == expected));
  step.uploads().forget();
}
