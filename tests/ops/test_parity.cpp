// SPDX-License-Identifier: Apache-2.0
// Every operation of the network against naive loops in double on the same (rounded) inputs.
#include "ops/backend_under_test.hpp"
#include "support/catch.hpp"
#include "support/op_cases.hpp"
#include "support/reference_ops.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

std::string title(const std::string& name, DType dtype) { return name + ", " + name_of(dtype); }

Values input(std::int64_t count, std::uint64_t seed, DType dtype) { return rounded(random_values(count, seed), dtype); }

/// Inputs of a norm and what the reference makes of them.
struct NormData {
  Values x, gamma, beta, residual, dy, dy_extra, sums;  ///< sums: over all ranks
  reference::Statistics statistics;
  double count;
};

NormData norm_data(const NormCase& test) {
  const BatchNormDesc& d = test.desc;
  const std::int64_t elements = d.views * d.rows * d.channels;
  NormData data;
  data.x = random_values(elements, 1);
  for (std::size_t i = 0; i < data.x.size(); ++i)
    data.x[i] = 3 * data.x[i] + static_cast<double>(i % static_cast<std::size_t>(d.channels)) / 7;
  data.x = rounded(data.x, d.dtype);
  if (test.affine) {
    data.gamma = input(d.channels, 2, DType::kF32);
    data.beta = input(d.channels, 3, DType::kF32);
  }
  if (d.residual) {
    data.residual = input(elements, 4, d.y_dtype);
    data.dy_extra = input(elements, 5, d.y_dtype);
  }
  data.dy = input(elements, 6, d.y_dtype);
  // A single row is a rank's share of more: its statistics come from other ranks' rows too.
  BatchNormDesc everywhere = d;
  everywhere.rows = d.rows == 1 ? 8 : d.rows;
  data.count = static_cast<double>(everywhere.rows);
  data.sums = reference::batch_norm_sums(
      everywhere, d.rows == 1 ? random_values(d.views * everywhere.rows * d.channels, 7) : data.x);
  data.statistics = reference::batch_norm_statistics(d, data.sums, data.count, 1e-5, 0.1,
                                                     Values(static_cast<std::size_t>(d.channels), 0.5),
                                                     Values(static_cast<std::size_t>(d.channels), 2.0));
  return data;
}

/// A tensor, or the empty view of an optional one.
struct Optional {
  DeviceTensor tensor;
  Optional(Backend& backend, DType dtype, const Shape& shape, const Values& values) {
    if (!values.empty()) tensor = DeviceTensor(backend, dtype, shape, values);
  }
  operator ConstTensorView() const { return tensor; }  // NOLINT
};

}  // namespace

TEST_CASE("convolutions agree with naive loops") {
  Backend& backend = backend_under_test();
  for (const DType dtype : types_under_test()) {
    for (const ConvCase& test : conv_cases()) {
      INFO(title(test.name, dtype));
      Conv2dDesc d = test.desc;
      d.dtype = dtype;
      const Shape x_shape{d.N, d.H, d.W, d.C}, w_shape{d.K, d.R, d.S, d.C}, y_shape{d.N, d.P(), d.Q(), d.K};
      const Values x = input(x_shape.num_elements(), 1, dtype), w = input(w_shape.num_elements(), 2, dtype),
                   dy = input(y_shape.num_elements(), 3, dtype);
      const DeviceTensor x_on(backend, dtype, x_shape, x), w_on(backend, dtype, w_shape, w),
          dy_on(backend, dtype, y_shape, dy);
      const DeviceTensor y(backend, dtype, y_shape), dx(backend, dtype, x_shape), dw(backend, DType::kF32, w_shape);
      backend.conv2d(d, x_on, w_on, y);
      backend.conv2d_grad_input(d, dy_on, w_on, dx);
      backend.conv2d_grad_filter(d, x_on, dy_on, dw);
      CHECK(nmse(y.values(), reference::conv2d(d, x, w)) <= tolerance_of(dtype));
      CHECK(nmse(dx.values(), reference::conv2d_grad_input(d, dy, w)) <= tolerance_of(dtype));
      // cuDNN writes a filter's gradient in the type of the images.
      const DType dw_dtype = device_under_test() == "cuda" ? dtype : DType::kF32;
      CHECK(nmse(dw.values(), reference::conv2d_grad_filter(d, x, dy)) <= tolerance_of(dw_dtype));
    }
  }
}

TEST_CASE("batch norm statistics agree with their definition") {
  Backend& backend = backend_under_test();
  for (const NormCase& test : norm_cases()) {
    if (!backend.supports(test.desc.dtype)) continue;
    INFO(test.name);
    const BatchNormDesc& d = test.desc;
    const NormData data = norm_data(test);
    const DeviceTensor x(backend, d.dtype, {d.views, d.rows, d.channels}, data.x);
    const DeviceTensor sums(backend, DType::kF64, {d.views, 2, d.channels});
    backend.batch_norm_sums(d, x, sums);
    // Variance is a difference of these, so they hold more than f32 does.
    CHECK(nmse(sums.values(), reference::batch_norm_sums(d, data.x)) <= 1e-24);

    const Values half(static_cast<std::size_t>(d.channels), 0.5), two(half.size(), 2.0);
    const DeviceTensor mean(backend, DType::kF32, {d.views, d.channels}),
        inv_std(backend, DType::kF32, {d.views, d.channels});
    const DeviceTensor running_mean(backend, DType::kF32, {d.channels}, half),
        running_var(backend, DType::kF32, {d.channels}, two);
    const DeviceTensor all_sums(backend, DType::kF64, {d.views, 2, d.channels}, data.sums);
    backend.batch_norm_statistics(all_sums, data.count, 1e-5F, 0.1F, mean, inv_std, running_mean, running_var);
    CHECK(nmse(mean.values(), data.statistics.mean) <= 1e-11);
    CHECK(nmse(inv_std.values(), data.statistics.inv_std) <= 1e-11);
    CHECK(nmse(running_mean.values(), data.statistics.running_mean) <= 1e-11);
    CHECK(nmse(running_var.values(), data.statistics.running_var) <= 1e-11);
    backend.batch_norm_statistics(all_sums, data.count, 1e-5F, 0.1F, mean, inv_std, {}, {});
    CHECK(nmse(mean.values(), data.statistics.mean) <= 1e-11);

    const DeviceTensor frozen_mean(backend, DType::kF32, {1, d.channels}),
        frozen_inv_std(backend, DType::kF32, {1, d.channels});
    const DeviceTensor var(backend, DType::kF32, {d.channels}, two);
    backend.batch_norm_inference_statistics(running_mean, var, 1e-5F, frozen_mean, frozen_inv_std);
    CHECK(frozen_mean.values() == running_mean.values());
    CHECK(nmse(frozen_inv_std.values(), Values(half.size(), 1 / std::sqrt(2.0 + 1e-5))) <= 1e-12);
  }
}

TEST_CASE("batch norm forward and backward agree with their definition") {
  Backend& backend = backend_under_test();
  for (const NormCase& test : norm_cases()) {
    if (!backend.supports(test.desc.dtype)) continue;
    INFO(test.name);
    const BatchNormDesc& d = test.desc;
    const NormData data = norm_data(test);
    const Shape shape{d.views, d.rows, d.channels}, per_view{d.views, d.channels};
    const DeviceTensor x(backend, d.dtype, shape, data.x), mean(backend, DType::kF32, per_view, data.statistics.mean),
        inv_std(backend, DType::kF32, per_view, data.statistics.inv_std);
    const Optional gamma(backend, DType::kF32, {d.channels}, data.gamma),
        beta(backend, DType::kF32, {d.channels}, data.beta), residual(backend, d.y_dtype, shape, data.residual),
        extra(backend, d.y_dtype, shape, data.dy_extra);
    const BatchNormMap norm{mean, inv_std, gamma, beta};
    const Values expected =
        reference::batch_normalize(d, data.x, data.statistics, data.gamma, data.beta, data.residual);
    const DeviceTensor y(backend, d.y_dtype, shape);
    backend.batch_normalize(d, x, norm, residual, y);
    CHECK(nmse(y.values(), expected) <= tolerance_of(d.y_dtype));

    const auto gradients =
        reference::batch_norm_grad_sums(d, data.x, expected, data.statistics, data.dy, data.dy_extra);
    const DeviceTensor dy(backend, d.y_dtype, shape, data.dy);
    const DeviceTensor sums(backend, DType::kF64, {d.views, 2, d.channels}), dgamma(backend, DType::kF32, {d.channels}),
        dbeta(backend, DType::kF32, {d.channels});
    const double sum_tolerance = size_of(d.y_dtype) == 2 ? 1e-5 : 1e-10;  // dz is rounded before it is summed
    backend.batch_norm_grad_sums(d, x, d.residual ? ConstTensorView(y) : ConstTensorView(), norm, dy, extra, sums,
                                 dgamma, dbeta);
    CHECK(nmse(sums.values(), gradients.sums) <= sum_tolerance);
    CHECK(nmse(dgamma.values(), gradients.dgamma) <= sum_tolerance);
    CHECK(nmse(dbeta.values(), gradients.dbeta) <= sum_tolerance);
    CHECK(nmse(dy.values(), d.residual ? gradients.dz : data.dy) <= tolerance_of(d.y_dtype));

    const Values dx = reference::batch_norm_grad_input(d, data.x, data.statistics, data.gamma, gradients, data.count);
    const double dx_tolerance =
        size_of(d.dtype) == 2 || size_of(d.y_dtype) == 2 ? 2e-5 : 1e-10;  // two roundings: of dz and of dx
    const DeviceTensor dx_on(backend, d.dtype, shape);
    backend.batch_norm_grad_input(d, x, norm, dy, sums, data.count, dx_on);
    CHECK(nmse(dx_on.values(), dx) <= dx_tolerance);
    if (d.dtype != d.y_dtype) continue;
    backend.batch_norm_grad_input(d, x, norm, dy, sums, data.count, dy);  // in place
    CHECK(dy.bytes() == dx_on.bytes());
  }
}

TEST_CASE("pooling agrees with naive loops") {
  Backend& backend = backend_under_test();
  for (const DType dtype : types_under_test()) {
    for (const PoolCase& test : pool_cases()) {
      INFO(title(test.name, dtype));
      MaxPoolDesc d = test.desc;
      d.dtype = dtype;
      const Shape x_shape{d.N, d.H, d.W, d.C}, y_shape{d.N, d.P(), d.Q(), d.C};
      Values x = input(x_shape.num_elements(), 1, dtype);
      for (double& value : x) value = std::max(value, 0.0);  // as after a ReLU: windows with equal maxima
      const Values dy = input(y_shape.num_elements(), 2, dtype);
      const auto pooled = reference::max_pool(d, x);
      const DeviceTensor x_on(backend, dtype, x_shape, x), dy_on(backend, dtype, y_shape, dy);
      const DeviceTensor y(backend, dtype, y_shape), argmax(backend, DType::kU8, y_shape), dx(backend, dtype, x_shape);
      backend.max_pool(d, x_on, y, argmax);
      backend.max_pool_grad(d, dy_on, argmax, dx);
      CHECK(y.values() == pooled.y);
      CHECK(argmax.values() == pooled.argmax);
      CHECK(nmse(dx.values(), reference::max_pool_grad(d, dy, pooled.argmax)) <= tolerance_of(dtype));

      const DeviceTensor average(backend, dtype, {d.N, d.C}), spread(backend, dtype, x_shape);
      const Values dz = input(d.N * d.C, 3, dtype);
      backend.global_average_pool(x_on, average);
      backend.global_average_pool_grad(DeviceTensor(backend, dtype, {d.N, d.C}, dz), spread);
      CHECK(nmse(average.values(), reference::global_average_pool(x_shape, x)) <= tolerance_of(dtype));
      CHECK(nmse(spread.values(), reference::global_average_pool_grad(x_shape, dz)) <= tolerance_of(dtype));
    }
  }
}

TEST_CASE("matrix products agree with naive loops") {
  Backend& backend = backend_under_test();
  std::vector<std::pair<DType, DType>> types;
  for (const DType dtype : types_under_test()) {
    types.emplace_back(dtype, dtype);
    if (dtype != DType::kF32) types.emplace_back(dtype, DType::kF32);
  }
  for (const auto& [dtype, result] : types) {
    for (const GemmCase& test : gemm_cases()) {
      INFO(title(test.name, dtype) << " to " << name_of(result));
      const GemmDesc& d = test.desc;
      const Values a = input(d.a_elements(), 1, dtype), b = input(d.K * d.N, 2, dtype), c = input(d.M * d.N, 3, result);
      const Shape b_shape = d.transpose_b ? Shape{d.N, d.K} : Shape{d.K, d.N};
      // With beta = 0 what c held before must not matter: it stays poisoned.
      const DeviceTensor target =
          d.beta == 0 ? DeviceTensor(backend, result, {d.M, d.N}) : DeviceTensor(backend, result, {d.M, d.N}, c);
      backend.gemm(d, DeviceTensor(backend, dtype, {d.a_elements()}, a), DeviceTensor(backend, dtype, b_shape, b),
                   target);
      CHECK(nmse(target.values(), reference::gemm(d, a, b, c)) <= tolerance_of(result));
    }
  }
}

TEST_CASE("pointwise operations agree with naive loops") {
  Backend& backend = backend_under_test();
  const std::int64_t count = 4099;
  for (const DType dtype : types_under_test()) {
    INFO(name_of(dtype));
    const Values x = input(count, 1, dtype), y = input(count, 2, dtype);
    const DeviceTensor x_on(backend, dtype, {count}, x), sum(backend, dtype, {count}, y);
    backend.add(x_on, sum);
    Values expected(x);
    for (std::size_t i = 0; i < y.size(); ++i) expected[i] += y[i];
    CHECK(nmse(sum.values(), expected) <= tolerance_of(dtype));

    Values pixels(3 * 1024);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<double>(i * 7 % 256);
    const std::array<float, 3> mean{0.485F, 0.456F, 0.406F}, std{0.229F, 0.224F, 0.225F};
    const DeviceTensor normalised(backend, dtype, {4, 16, 16, 3});
    backend.normalize_images(DeviceTensor(backend, DType::kU8, {4, 16, 16, 3}, pixels), mean, std, normalised);
    CHECK(nmse(normalised.values(), reference::normalize_images(pixels, mean, std)) <= tolerance_of(dtype));
  }
}

TEST_CASE("casts round to nearest even") {
  Backend& backend = backend_under_test();
  Values x = random_values(4000, 1);
  // Ties of bf16's 8-bit significand in both directions, the largest number, and denormals of f32.
  x.insert(x.end(), {1 + 1.0 / 256, 1 + 3.0 / 256, -1 - 1.0 / 256, 3.4028e38, 1e-40, -0.0, 0.0, 65504.0});
  const Shape shape{static_cast<std::int64_t>(x.size())};
  const Values f32 = rounded(x, DType::kF32);
  const DeviceTensor from(backend, DType::kF32, shape, x), narrow(backend, DType::kBF16, shape),
      wide(backend, DType::kF32, shape);
  backend.cast(from, narrow);
  backend.cast(narrow, wide);
  CHECK(narrow.values() == rounded(f32, DType::kBF16));
  CHECK(wide.values() == narrow.values());
}
