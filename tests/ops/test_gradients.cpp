// SPDX-License-Identifier: Apache-2.0
// The backend's gradients against central differences, in double, of the reference's forward operations: a mistake
// that reference and backend share in a backward formula shows here.
#include <cmath>
#include <functional>

#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"
#include "support/op_cases.hpp"
#include "support/reference_ops.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

constexpr double kTolerance = 1e-9;  // NMSE: central differences are good to 1e-8, f32 to 1e-7

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// d f / d x by central differences.
Values differences(const std::function<double(const Values&)>& f, Values x) {
  constexpr double kStep = 1e-5;
  Values gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double value = x[i];
    x[i] = value + kStep;
    const double above = f(x);
    x[i] = value - kStep;
    const double below = f(x);
    x[i] = value;
    gradient[i] = (above - below) / (2 * kStep);
  }
  return gradient;
}

Values input(std::int64_t count, std::uint64_t seed) { return rounded(random_values(count, seed), DType::kF32); }

/// The whole norm as a function of its inputs: statistics are of x.
Values normalized(const BatchNormDesc& d, const Values& x, const Values& gamma, const Values& beta,
                  const Values& residual) {
  const auto statistics = reference::batch_norm_statistics(d, reference::batch_norm_sums(d, x),
                                                           static_cast<double>(d.rows), 1e-5, 0.1, {}, {});
  return reference::batch_normalize(d, x, statistics, gamma, beta, residual);
}

void check_norm(const BatchNormDesc& d) {
  Backend& backend = backend_under_test();
  const std::int64_t elements = d.views * d.rows * d.channels;
  const Shape shape{d.views, d.rows, d.channels}, per_view{d.views, d.channels}, per_channel{d.channels};
  const Values x = input(elements, 1), gamma = input(d.channels, 2), beta = input(d.channels, 3),
               dy = input(elements, 5);
  const Values residual = d.residual ? input(elements, 4) : Values{};
  const DeviceTensor x_on(backend, DType::kF32, shape, x), gamma_on(backend, DType::kF32, per_channel, gamma),
      beta_on(backend, DType::kF32, per_channel, beta), dy_on(backend, DType::kF32, shape, dy);
  DeviceTensor residual_on;
  if (d.residual) residual_on = DeviceTensor(backend, DType::kF32, shape, residual);
  const DeviceTensor sums(backend, DType::kF64, {d.views, 2, d.channels}), mean(backend, DType::kF32, per_view),
      inv_std(backend, DType::kF32, per_view), y(backend, DType::kF32, shape), dx(backend, DType::kF32, shape),
      dgamma(backend, DType::kF32, per_channel), dbeta(backend, DType::kF32, per_channel);
  const auto count = static_cast<double>(d.rows);
  backend.batch_norm_sums(d, x_on, sums);
  backend.batch_norm_statistics(sums, count, 1e-5F, 0.1F, mean, inv_std, {}, {});
  const BatchNormMap norm{mean, inv_std, gamma_on, beta_on};
  backend.batch_normalize(d, x_on, norm, residual_on, y);
  backend.batch_norm_grad_sums(d, x_on, d.residual ? ConstTensorView(y) : ConstTensorView(), norm, dy_on, {}, sums,
                               dgamma, dbeta);
  backend.batch_norm_grad_input(d, x_on, norm, dy_on, sums, count, dx);

  const auto loss = [&](const Values& at_x, const Values& at_gamma, const Values& at_beta, const Values& at_residual) {
    return dot(normalized(d, at_x, at_gamma, at_beta, at_residual), dy);
  };
  CHECK(nmse(dx.values(), differences([&](const Values& v) { return loss(v, gamma, beta, residual); }, x)) <=
        kTolerance);
  CHECK(nmse(dgamma.values(), differences([&](const Values& v) { return loss(x, v, beta, residual); }, gamma)) <=
        kTolerance);
  CHECK(nmse(dbeta.values(), differences([&](const Values& v) { return loss(x, gamma, v, residual); }, beta)) <=
        kTolerance);
  if (d.residual) {  // dz, left in dy, is the residual's gradient
    CHECK(nmse(dy_on.values(), differences([&](const Values& v) { return loss(x, gamma, beta, v); }, residual)) <=
          kTolerance);
  }
}

}  // namespace

TEST_CASE("gradients of convolutions are those of central differences") {
  Backend& backend = backend_under_test();
  for (const ConvCase& test : conv_cases()) {
    const Conv2dDesc& d = test.desc;
    const Shape x_shape{d.N, d.H, d.W, d.C}, w_shape{d.K, d.R, d.S, d.C}, y_shape{d.N, d.P(), d.Q(), d.K};
    const std::int64_t products = y_shape.num_elements() * d.R * d.S * d.C;
    if (products * (x_shape.num_elements() + w_shape.num_elements()) > 60'000'000) continue;  // minutes of differences
    INFO(test.name);
    const Values x = input(x_shape.num_elements(), 1), w = input(w_shape.num_elements(), 2),
                 dy = input(y_shape.num_elements(), 3);
    const DeviceTensor x_on(backend, DType::kF32, x_shape, x), w_on(backend, DType::kF32, w_shape, w),
        dy_on(backend, DType::kF32, y_shape, dy), dx(backend, DType::kF32, x_shape), dw(backend, DType::kF32, w_shape);
    backend.conv2d_grad_input(d, dy_on, w_on, dx);
    backend.conv2d_grad_filter(d, x_on, dy_on, dw);
    CHECK(nmse(dx.values(), differences([&](const Values& v) { return dot(reference::conv2d(d, v, w), dy); }, x)) <=
          kTolerance);
    CHECK(nmse(dw.values(), differences([&](const Values& v) { return dot(reference::conv2d(d, x, v), dy); }, w)) <=
          kTolerance);
  }
}

TEST_CASE("gradients of batch norm are those of central differences") {
  for (const bool relu : {false, true}) {
    for (const bool residual : {false, true}) {
      INFO("relu " << relu << ", residual " << residual);
      check_norm({2, 11, 5, relu, residual, DType::kF32, DType::kF32});
      check_norm({1, 6, 19, relu, residual, DType::kF32, DType::kF32});
    }
  }
}

TEST_CASE("gradients of pooling are those of central differences") {
  Backend& backend = backend_under_test();
  for (const PoolCase& test : pool_cases()) {
    INFO(test.name);
    const MaxPoolDesc& d = test.desc;
    const Shape x_shape{d.N, d.H, d.W, d.C}, y_shape{d.N, d.P(), d.Q(), d.C};
    const Values x = input(x_shape.num_elements(), 1), dy = input(y_shape.num_elements(), 2);
    const DeviceTensor x_on(backend, DType::kF32, x_shape, x), dy_on(backend, DType::kF32, y_shape, dy),
        y(backend, DType::kF32, y_shape), argmax(backend, DType::kU8, y_shape), dx(backend, DType::kF32, x_shape);
    backend.max_pool(d, x_on, y, argmax);
    backend.max_pool_grad(d, dy_on, argmax, dx);
    CHECK(nmse(dx.values(), differences([&](const Values& v) { return dot(reference::max_pool(d, v).y, dy); }, x)) <=
          kTolerance);
    const Values dz = input(d.N * d.C, 3);
    backend.global_average_pool_grad(DeviceTensor(backend, DType::kF32, {d.N, d.C}, dz), dx);
    const auto average = [&](const Values& v) { return dot(reference::global_average_pool(x_shape, v), dz); };
    CHECK(nmse(dx.values(), differences(average, x)) <= kTolerance);
  }
}

TEST_CASE("the products of a linear layer's backward are its gradients") {
  Backend& backend = backend_under_test();
  const std::int64_t N = 6, in = 11, out = 9;
  const GemmDesc forward{.M = N, .N = out, .K = in, .transpose_b = true};
  const Values x = input(N * in, 1), w = input(out * in, 2), dy = input(N * out, 3);
  const DeviceTensor x_on(backend, DType::kF32, {N, in}, x), w_on(backend, DType::kF32, {out, in}, w),
      dy_on(backend, DType::kF32, {N, out}, dy), dx(backend, DType::kF32, {N, in}), dw(backend, DType::kF32, {out, in});
  backend.gemm({.M = N, .N = in, .K = out}, dy_on, w_on, dx);
  backend.gemm({.M = out, .N = in, .K = N, .transpose_a = true}, dy_on, x_on, dw);
  const auto loss = [&](const Values& at_x, const Values& at_w) {
    return dot(reference::gemm(forward, at_x, at_w, Values(static_cast<std::size_t>(N * out))), dy);
  };
  CHECK(nmse(dx.values(), differences([&](const Values& v) { return loss(v, w); }, x)) <= kTolerance);
  CHECK(nmse(dw.values(), differences([&](const Values& v) { return loss(x, v); }, w)) <= kTolerance);
}

TEST_CASE("gradients of the loss terms are those of central differences") {
  Backend& backend = backend_under_test();
  const std::int64_t D = 13;
  const double lambda = 0.0051;
  const Values c = input(D * D, 1);
  const DeviceTensor c_on(backend, DType::kF32, {D, D}, c), terms(backend, DType::kF64, {2});
  backend.barlow_terms(c_on, static_cast<float>(lambda), 1, terms);
  const auto total = [](const Values& t) { return t[0] + t[1]; };
  const auto direct = [&](const Values& v) { return total(reference::barlow_terms(v, D, lambda, 1).terms); };
  CHECK(nmse(c_on.values(), differences(direct, c)) <= kTolerance);

  const Values diagonal = input(D, 2);
  const DeviceTensor coefficient(backend, DType::kF32, {D});
  backend.barlow_gram_terms(DeviceTensor(backend, DType::kF64, {D}, diagonal),
                            DeviceTensor(backend, DType::kF64, {1}, {40.0}), 3.0, static_cast<float>(lambda), 1, terms,
                            coefficient);
  const auto gram = [&](const Values& v) { return total(reference::barlow_gram_terms(v, 40.0, 3.0, lambda, 1).terms); };
  CHECK(nmse(coefficient.values(), differences(gram, diagonal)) <= kTolerance);
}
