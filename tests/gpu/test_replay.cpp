// SPDX-License-Identifier: Apache-2.0
// Steps of which all but the first are replayed as one CUDA graph are steps, bit for bit: alone, and between ranks that
// may share a GPU. BARLOW_TEST_COLLECTIVES chooses nccl or mpi; through mpi nothing is replayed.
#include <cstdlib>

#include "barlow/comm/make_collectives.hpp"
#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"
#include "support/mpi_require.hpp"
#include "support/small_training.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

std::string collectives_under_test() {
  const char* kind = std::getenv("BARLOW_TEST_COLLECTIVES");
  return kind == nullptr ? "nccl" : kind;
}

}  // namespace

TEST_CASE("steps replayed as one graph are steps") {
  const MpiSession& session = test_session();
  const auto device = make_backend({.device = device_under_test(),
                                    .local_rank = session.local_rank(),
                                    .local_size = session.local_size(),
                                    .deterministic = true});
  const auto collectives = make_collectives(session, *device, {.kind = collectives_under_test(), .share_device = true});
  const std::int64_t full = SmallTraining::kBatch / session.world_size();
  const auto train = [&](const SmallTraining& training, bool record, const Course& course) {
    SmallTraining same = training;
    same.config.backbone_width = nn::ResNet::kPublishedWidth;  // whose operations the device is made for
    same.options.record = record;
    train::TrainingStep step(same.config, same.options, *device, *collectives);
    Trajectory trajectory = train_steps(step, *device, session.rank(), full, course);
    // The work has been replayed, not just done again: that the device refused would go unnoticed.
    CHECK(step.is_replayed() == (record && device->can_record() && collectives->can_be_recorded()));
    return trajectory;
  };
  const int num_steps = session.world_size() > 1 ? 6 : 10;  // ranks that share a GPU take turns: seconds per step
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    if (!device->supports(dtype)) continue;
    for (const ssl::LossForm form : {ssl::LossForm::kGram, ssl::LossForm::kDirect}) {
      INFO(name_of(dtype) << ", " << session.world_size() << " ranks");
      const SmallTraining training(dtype, session.world_size(), form);
      const Course steady{.num_steps = num_steps};
      const bool same = train(training, true, steady) == train(training, false, steady);
      REQUIRE_ON_ALL_RANKS(same);
      const Course uneven{.num_steps = num_steps, .images_of = [&](int i) { return i == 3 ? full / 2 : full; }};
      const bool same_when_uneven = train(training, true, uneven) == train(training, false, uneven);
      REQUIRE_ON_ALL_RANKS(same_when_uneven);
    }
  }
}
