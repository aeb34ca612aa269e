// SPDX-License-Identifier: Apache-2.0
// What the backend promises beyond values: equal bits from equal runs, NaNs that nobody swallows, shapes that are
// checked.
#include <cmath>
#include <limits>

#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

bool any_nan(const Values& values) {
  for (const double value : values) {
    if (std::isnan(value)) return true;
  }
  return false;
}

const double kNan = std::numeric_limits<double>::quiet_NaN();

/// Normal numbers with a NaN in the middle.
Values with_nan(std::int64_t count, std::uint64_t seed) {
  Values values = random_values(count, seed);
  values[values.size() / 2] = kNan;
  return values;
}

}  // namespace

TEST_CASE("two runs give the same bits") {
  const auto deterministic = make_backend({.device = device_under_test(), .num_threads = 2, .deterministic = true});
  Backend& backend = *deterministic;
  for (const DType dtype : types_under_test()) {
    INFO(name_of(dtype));
    const Conv2dDesc d{2, 14, 14, 32, 48, 3, 3, 1, 1, dtype};
    const BatchNormDesc norm{2, 14 * 14, 32, true, false, dtype, dtype};
    const Shape x_shape{2, 14, 14, 32}, w_shape{48, 3, 3, 32}, y_shape{2, 14, 14, 48};
    const DeviceTensor x(backend, dtype, x_shape, random_values(x_shape.num_elements(), 1)),
        w(backend, dtype, w_shape, random_values(w_shape.num_elements(), 2)),
        dy(backend, dtype, y_shape, random_values(y_shape.num_elements(), 3));
    std::vector<std::byte> results[2];
    for (auto& result : results) {
      const DeviceTensor y(backend, dtype, y_shape), dx(backend, dtype, x_shape), dw(backend, DType::kF32, w_shape),
          sums(backend, DType::kF64, {2, 2, 32}), c(backend, DType::kF32, {196, 196});
      backend.conv2d(d, x, w, y);
      backend.conv2d_grad_input(d, dy, w, dx);
      backend.conv2d_grad_filter(d, x, dy, dw);
      backend.batch_norm_sums(norm, x, sums);
      backend.gemm({.M = 196, .N = 196, .K = 64, .transpose_b = true}, x, x, c);
      for (const DeviceTensor* tensor : {&y, &dx, &dw, &sums, &c}) {
        const auto bytes = tensor->bytes();
        result.insert(result.end(), bytes.begin(), bytes.end());
      }
    }
    CHECK(results[0] == results[1]);
  }
}

TEST_CASE("a NaN reaches the result") {
  Backend& backend = backend_under_test();
  for (const DType dtype : types_under_test()) {
    INFO(name_of(dtype));
    const std::int64_t C = 32, size = 2 * 6 * 6 * C;
    const Shape images{2, 6, 6, C}, per_view{1, C};
    const DeviceTensor x(backend, dtype, images, with_nan(size, 1)),
        ones(backend, DType::kF32, per_view, Values(32, 1)), zeros(backend, DType::kF32, per_view, Values(32, 0));
    const DeviceTensor y(backend, dtype, images), y_fine(backend, dtype, images, random_values(size, 2));

    backend.conv2d({2, 6, 6, C, C, 3, 3, 1, 1, dtype}, x,
                   DeviceTensor(backend, dtype, {C, 3, 3, C}, random_values(9 * C * C, 3)), y);
    CHECK(any_nan(y.values()));
    const BatchNormDesc norm{1, 2 * 6 * 6, C, true, false, dtype, dtype};
    backend.batch_normalize(norm, x, {zeros, ones}, {}, y);
    CHECK(any_nan(y.values()));
    const DeviceTensor sums(backend, DType::kF64, {1, 2, C}), mean(backend, DType::kF32, per_view),
        inv_std(backend, DType::kF32, per_view);
    backend.batch_norm_sums(norm, x, sums);
    backend.batch_norm_statistics(sums, 72, 1e-5F, 0.1F, mean, inv_std, {}, {});
    CHECK(any_nan(mean.values()));
    CHECK(any_nan(inv_std.values()));
    backend.batch_norm_grad_sums(norm, y_fine, {}, {zeros, ones}, x, {}, sums, {}, {});
    const bool hidden = y_fine.values()[static_cast<std::size_t>(size) / 2] <= 0;  // the mask may hide dy's NaN
    CHECK(any_nan(sums.values()) != hidden);
    backend.add(x, y_fine);
    CHECK(any_nan(y_fine.values()));
    const MaxPoolDesc pool{2, 6, 6, C, 3, 2, 1, dtype};
    const DeviceTensor pooled(backend, dtype, {2, 3, 3, C}), argmax(backend, DType::kU8, {2, 3, 3, C}),
        average(backend, dtype, {2, C});
    backend.max_pool(pool, x, pooled, argmax);
    CHECK(any_nan(pooled.values()));
    backend.global_average_pool(x, average);
    CHECK(any_nan(average.values()));
    const DeviceTensor as_f32(backend, DType::kF32, images);
    backend.cast(x, as_f32);
    CHECK(any_nan(as_f32.values()));
  }
}

TEST_CASE("a NaN or an infinity reaches loss terms and norms") {
  Backend& backend = backend_under_test();
  for (const double bad : {kNan, std::numeric_limits<double>::infinity()}) {
    Values values = random_values(40 * 40, 1);
    values[777] = bad;
    const DeviceTensor c(backend, DType::kF32, {40, 40}, values), terms(backend, DType::kF64, {2}),
        sum(backend, DType::kF64, {1}), norms(backend, DType::kF64, {1, 2});
    backend.dot(c, c, sum);
    CHECK_FALSE(std::isfinite(sum.values()[0]));
    const std::vector<LarsSegment> segments{{0, 1600, true}};
    const DeviceTensor flat(backend, DType::kF32, {1600}, values),
        fine(backend, DType::kF32, {1600}, random_values(1600, 2));
    backend.segment_norms(segments, {.weight_decay = 1e-4F}, fine, flat, norms);
    CHECK(std::isfinite(norms.values()[0]));
    CHECK_FALSE(std::isfinite(norms.values()[1]));
    backend.barlow_terms(c, 0.005F, 1, terms);
    CHECK_FALSE(std::isfinite(terms.values()[1]));
  }
}

TEST_CASE("shapes and types that do not fit are refused") {
  Backend& backend = backend_under_test();
  const DType f32 = DType::kF32;
  const DeviceTensor x(backend, f32, {1, 4, 4, 8}), w(backend, f32, {8, 3, 3, 8}), y(backend, f32, {1, 4, 4, 8}),
      half(backend, DType::kBF16, {1, 4, 4, 8}), short_y(backend, f32, {1, 3, 4, 8});
  const Conv2dDesc d{1, 4, 4, 8, 8, 3, 3, 1, 1, f32};
  CHECK_NOTHROW(backend.conv2d(d, DeviceTensor(backend, f32, {1, 4, 4, 8}, Values(128, 0)), w, y));
  CHECK_THROWS_AS(backend.conv2d(d, x, w, short_y), ShapeError);
  CHECK_THROWS_AS(backend.conv2d(d, half, w, y), ShapeError);
  CHECK_THROWS_AS(backend.conv2d_grad_filter(d, x, y, DeviceTensor(backend, DType::kBF16, {8, 3, 3, 8})), ShapeError);
  CHECK_THROWS_AS(backend.add(x, half), ShapeError);
  CHECK_THROWS_AS(backend.copy(x, short_y), ShapeError);
  CHECK_THROWS_AS(backend.gemm({.M = 4, .N = 4, .K = 8}, x, w, y), ShapeError);
  CHECK_THROWS_AS(backend.max_pool({1, 4, 4, 8, 3, 2, 1, f32}, x, y, DeviceTensor(backend, DType::kU8, {1, 2, 2, 8})),
                  ShapeError);
  CHECK_THROWS_AS(backend.global_average_pool(x, DeviceTensor(backend, f32, {1, 7})), ShapeError);
  CHECK_THROWS_AS(backend.batch_norm_sums({2, 8, 8, false, false, f32, f32}, x, DeviceTensor(backend, f32, {2, 2, 8})),
                  ShapeError);
  CHECK_THROWS_AS(backend.barlow_terms(short_y, 1, 1, DeviceTensor(backend, DType::kF64, {2})), ShapeError);
  CHECK(backend.supports(DType::kF16) == (device_under_test() == "cuda"));
  if (backend.supports(DType::kF16)) return;
  const DeviceTensor wide(backend, f32, {8}, Values(8, 1)), narrow(backend, DType::kF16, {8});
  CHECK_THROWS_AS(backend.cast(wide, narrow), ShapeError);
}

TEST_CASE("a device that is not there is refused with a remedy") {
  CHECK_THROWS_AS(make_backend({.device = "toaster"}), ConfigError);
}
