// SPDX-License-Identifier: Apache-2.0
// The loss's and the optimiser's operations against naive loops in double.
#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"
#include "support/op_cases.hpp"
#include "support/reference_ops.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

Values input(std::int64_t count, std::uint64_t seed) { return rounded(random_values(count, seed), DType::kF32); }

}  // namespace

TEST_CASE("sums of products agree with naive loops") {
  Backend& backend = backend_under_test();
  const std::pair<std::int64_t, std::int64_t> shapes[] = {{1, 1}, {1, 70}, {33, 13}, {64, 256}, {100, 999}};
  for (const auto& [N, D] : shapes) {
    INFO(N << " x " << D);
    const Values a = input(N * D, 1), b = input(N * D, 2), column = input(D, 3);
    const DeviceTensor a_on(backend, DType::kF32, {N, D}, a), b_on(backend, DType::kF32, {N, D}, b);
    const DeviceTensor sums(backend, DType::kF64, {D}), sum(backend, DType::kF64, {1});
    backend.column_dots(a_on, b_on, sums);
    backend.dot(a_on, b_on, sum);
    const Values dots = reference::column_dots(a, b, D);
    CHECK(nmse(sums.values(), dots) <= 1e-13);
    double energy = 0;  // the sum itself may cancel: its error is measured against what was added
    for (std::size_t i = 0; i < a.size(); ++i) energy += a[i] * a[i];
    CHECK(std::abs(sum.values()[0] - reference::column_dots(a, b, 1)[0]) <= 1e-7 * energy);

    for (const float beta : {0.0F, 1.0F, -0.5F}) {
      const DeviceTensor y =
          beta == 0 ? DeviceTensor(backend, DType::kF32, {N, D}) : DeviceTensor(backend, DType::kF32, {N, D}, b);
      backend.multiply_columns(a_on, DeviceTensor(backend, DType::kF32, {D}, column), beta, y);
      CHECK(nmse(y.values(), reference::multiply_columns(a, column, beta, b)) <= 1e-11);
    }
  }
}

TEST_CASE("both forms of the loss terms agree with their definition") {
  Backend& backend = backend_under_test();
  const float lambda = 0.0051F, scale = 0.0625F;
  for (const std::int64_t D : {1, 2, 37, 160}) {
    INFO(D);
    const Values c = input(D * D, 1);
    const auto expected = reference::barlow_terms(c, D, lambda, scale);
    const DeviceTensor c_on(backend, DType::kF32, {D, D}, c), terms(backend, DType::kF64, {2});
    backend.barlow_terms(c_on, lambda, scale, terms);
    CHECK(nmse(c_on.values(), expected.gradient) <= 1e-11);
    CHECK(terms.values()[0] == Approx(expected.terms[0]).epsilon(1e-6));
    CHECK(terms.values()[1] == Approx(expected.terms[1]).epsilon(1e-6));

    const double count = 96;
    Values diagonal(static_cast<std::size_t>(D));
    double square = 0;
    for (std::size_t i = 0; i < diagonal.size(); ++i) diagonal[i] = count * c[i * diagonal.size() + i];
    for (const double value : c) square += value * value;
    const DeviceTensor coefficient(backend, DType::kF32, {D});
    backend.barlow_gram_terms(DeviceTensor(backend, DType::kF64, {D}, diagonal),
                              DeviceTensor(backend, DType::kF64, {1}, {square}), count, lambda, scale, terms,
                              coefficient);
    CHECK(nmse(terms.values(), expected.terms) <= 1e-12);  // the same loss in the other form
    CHECK(nmse(coefficient.values(), reference::barlow_gram_terms(diagonal, square, count, lambda, scale).gradient) <=
          1e-11);
  }
}

TEST_CASE("LARS agrees with its definition") {
  Backend& backend = backend_under_test();
  // Longer than a thread's chunk, of one element, all zero values, all zero gradients, and not adapted; with gaps. And
  // so that four elements may be read at a time.
  const bool in_fours = GENERATE(false, true);
  std::vector<LarsSegment> segments{{0, 50000, true},  {50000, 1, true},   {50008, 40, true},
                                    {50048, 40, true}, {50088, 33, false}, {50128, 64, true}};
  if (in_fours)
    segments = {{0, 50000, true}, {50008, 40, true}, {50048, 40, true}, {50088, 32, false}, {50128, 64, true}};
  const std::int64_t size = 50192;
  Values values = input(size, 1), gradients = input(size, 2);
  const Values momentum = input(size, 3);
  for (std::size_t i = 50008; i < 50048; ++i) values[i] = 0;
  for (std::size_t i = 50048; i < 50088; ++i) values[i] = gradients[i] = 0;
  for (std::size_t i = 50128; i < 50192; ++i) gradients[i] *= 1e-4;
  const DType copied = backend.supports(DType::kBF16) ? DType::kBF16 : DType::kF32;
  for (const bool clip : {false, true}) {
    for (const float rate : {0.0F, 0.2F}) {
      INFO("clip " << clip << ", rate " << rate << (in_fours ? ", in fours" : ""));
      const LarsStep step{rate, 0.0048F, 1e-4F, 0.9F, 0.001F, clip, rate > 0 ? 1024.0F : 1.0F};
      const DeviceTensor w(backend, DType::kF32, {size}, values), g(backend, DType::kF32, {size}, gradients),
          m(backend, DType::kF32, {size}, momentum), compute(backend, copied, {size}, values),
          norms(backend, DType::kF64, {static_cast<std::int64_t>(segments.size()), 2});
      backend.segment_norms(segments, step, w, g, norms);
      CHECK(nmse(norms.values(), reference::segment_norms(segments, step, values, gradients)) <= 1e-12);
      backend.lars_update(segments, step, norms, w, g, m, compute);
      const auto expected = reference::lars_update(segments, step, {values, momentum}, gradients);
      CHECK(nmse(w.values(), expected.values) <= 1e-12);
      CHECK(nmse(m.values(), expected.momentum) <= 1e-12);
      CHECK(nmse(compute.values(), expected.values) <= tolerance_of(copied));
      // Elements between segments are nobody's.
      for (std::size_t i = 50001; i < 50008; ++i) CHECK(w.values()[i] == values[i]);
    }
  }
}
