// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/random.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/nn/layers.hpp"
#include "barlow/ssl/barlow_twins.hpp"
#include "support/catch.hpp"
#include "support/mpi_require.hpp"

using namespace barlow;

namespace {

using Matrix = std::vector<double>;

struct Problem {
  std::int64_t B, D;
  Matrix z1, z2;  ///< [B,D], not normalised
};

Problem make_problem(std::int64_t B, std::int64_t D) {
  Problem problem{B, D, {}, {}};
  RandomStream random(11, RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(B * 1000 + D));
  for (std::int64_t i = 0; i < B * D; ++i) {
    const double common = random.next_uniform(-1, 1);
    problem.z1.push_back(3 + 2 * (common + 0.5 * random.next_uniform(-1, 1)));
    problem.z2.push_back(-1 + common + 0.5 * random.next_uniform(-1, 1));
  }
  return problem;
}

Matrix normalize(const Matrix& z, std::int64_t B, std::int64_t D) {
  Matrix zh(z.size());
  for (std::int64_t i = 0; i < D; ++i) {
    double mean = 0, var = 0;
    for (std::int64_t n = 0; n < B; ++n) mean += z[n * D + i] / B;
    for (std::int64_t n = 0; n < B; ++n) var += (z[n * D + i] - mean) * (z[n * D + i] - mean) / B;
    for (std::int64_t n = 0; n < B; ++n) zh[n * D + i] = (z[n * D + i] - mean) / std::sqrt(var + 1e-5);
  }
  return zh;
}

/// On- and off-diagonal terms by the definition, in double.
std::pair<double, double> loss_of(const Problem& p, const Matrix& z1, const Matrix& z2, double lambda) {
  const Matrix a = normalize(z1, p.B, p.D), b = normalize(z2, p.B, p.D);
  double on = 0, off = 0;
  for (std::int64_t i = 0; i < p.D; ++i) {
    for (std::int64_t j = 0; j < p.D; ++j) {
      double c = 0;
      for (std::int64_t n = 0; n < p.B; ++n) c += a[n * p.D + i] * b[n * p.D + j] / p.B;
      (i == j ? on : off) += i == j ? (1 - c) * (1 - c) : lambda * c * c;
    }
  }
  return {on, off};
}

struct Run {
  double on, off;
  std::vector<float> gradient;  ///< dz [2b,D] of this rank
};

Run run(const Problem& p, const ssl::BarlowTwinsOptions& options) {
  const MpiSession& session = test_session();
  const auto backend = make_backend({.device = "cpu", .num_threads = 1});
  const auto collectives = make_collectives(session);
  Arena arena(backend->allocate(std::size_t{64} << 20));
  nn::ParameterLayout layout;
  const nn::BatchNorm norm(layout, "bn", p.D, nn::BatchNorm::Affine::kNo);
  nn::ParameterStore store(layout, *backend, DType::kF32, true);
  nn::Pass pass{.backend = *backend, .collectives = *collectives, .arena = arena, .parameters = store};

  const std::int64_t b = p.B / session.world_size();
  std::vector<float> local;
  for (const Matrix* z : {&p.z1, &p.z2}) {
    const auto first = z->begin() + session.rank() * b * p.D;
    local.insert(local.end(), first, first + b * p.D);
  }
  const Activation z = pass.allocate({2 * b, p.D});
  backend->copy_to_device(ConstTensorView(local.data(), DType::kF32, {2 * b, p.D}), z);
  const Activation zh = norm.forward(pass, z, {}, {.output = DType::kF32});
  const auto loss = ssl::barlow_twins(pass, zh, options);
  const Activation dz = norm.backward(pass, loss.gradient, {}, false, {.output = DType::kF32});

  Run result{0, 0, std::vector<float>(local.size())};
  double terms[2];
  backend->copy_to_host(loss.terms, TensorView(terms, DType::kF64, {2}));
  result.on = terms[0];
  result.off = terms[1];
  backend->copy_to_host(dz, TensorView(result.gradient.data(), DType::kF32, {2 * b, p.D}));
  return result;
}

}  // namespace

TEST_CASE("loss and gradient agree with the definition and with finite differences, in both forms") {
  const MpiSession& session = test_session();
  const auto shape = GENERATE(std::pair{8, 5}, std::pair{4, 12}, std::pair{12, 33});
  const auto form = GENERATE(ssl::LossForm::kDirect, ssl::LossForm::kGram);
  const Problem p = make_problem(shape.first, shape.second);
  const ssl::BarlowTwinsOptions options{.lambda = 0.0051F, .gradient_scale = 1.0F / 16, .form = form};
  const Run result = run(p, options);
  const auto [on, off] = loss_of(p, p.z1, p.z2, 0.0051);
  CHECK(result.on == Approx(on).epsilon(1e-5));
  CHECK(result.off == Approx(off).epsilon(1e-5));

  const std::int64_t b = p.B / session.world_size();
  double error = 0, norm = 0;
  for (int view = 0; view < 2; ++view) {
    for (std::int64_t n = 0; n < b; ++n) {
      for (std::int64_t i = 0; i < p.D; ++i) {
        constexpr double kStep = 1e-5;
        Problem moved = p;
        double& z = (view == 0 ? moved.z1 : moved.z2)[(session.rank() * b + n) * p.D + i];
        const auto total = [&] {
          const auto [x, y] = loss_of(moved, moved.z1, moved.z2, 0.0051);
          return x + y;
        };
        z += kStep;
        const double above = total();
        z -= 2 * kStep;
        const double numeric = (above - total()) / (2 * kStep) / 16;
        const double ours = result.gradient[(view * b + n) * p.D + i];
        error += (ours - numeric) * (ours - numeric);
        norm += numeric * numeric;
      }
    }
  }
  CHECK(std::sqrt(error / norm) < 1e-4);
}

TEST_CASE("the cheaper form is chosen, and the noise floor is the published figure") {
  CHECK(ssl::choose_form(ssl::LossForm::kAuto, 2048, 8192) == ssl::LossForm::kGram);
  CHECK(ssl::choose_form(ssl::LossForm::kAuto, 2048, 1024) == ssl::LossForm::kDirect);
  CHECK(ssl::choose_form(ssl::LossForm::kDirect, 2048, 8192) == ssl::LossForm::kDirect);
  CHECK(ssl::noise_floor(0.0051, 8192, 2048) == Approx(167).epsilon(0.01));
}
