// SPDX-License-Identifier: Apache-2.0
// Whole steps on a device whose memory the host cannot touch and which runs late: the same bits as on the processor
// that it is made of, whatever exchanges between the ranks.
#include "barlow/comm/make_collectives.hpp"
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
