// SPDX-License-Identifier: Apache-2.0
// Times the operations of a training step of ResNet-50 at 224x224, one by one. Prints a JSON line each, and a line of
// totals over the network's 53 convolutions and as many norms.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>

#include "barlow/backend/make_backend.hpp"
#include "support/compare.hpp"
#include "support/op_cases.hpp"

using namespace barlow;
using namespace barlow::testing;

namespace {

struct Request {
  std::int64_t images = 64, iterations = 3;
  std::string device = "auto";
  bool loss = false;
  int threads = 0;
  std::string precision = "fp32", filter, clock = "wall";
};

double now_s(const std::string& clock) {
  timespec time{};
  clock_gettime(clock == "cpu" ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// What an operation does in one call: floating-point operations, or bytes that must pass through memory.
struct Work {
  double flop = 0, bytes = 0;
};

class Bench {
 public:
  Bench(const Request& request, Backend& backend) : request_(request), backend_(backend) {}

  /// @returns the median seconds of a call; 0 for an operation that the filter leaves out.
  double time(const std::string& op, const std::string& shape, const Work& work, const std::function<void()>& run) {
    if (op.find(request_.filter) == std::string::npos) return 0;
    const auto seconds_of = [&](int calls) {
      const double start = now_s(request_.clock);
      for (int call = 0; call < calls; ++call) run();
      backend_.synchronize();
      return (now_s(request_.clock) - start) / calls;
    };
    seconds_of(1);
    // So many calls that starting the first and waiting for the last do not count.
    const int calls = static_cast<int>(std::clamp(0.005 / seconds_of(1), 1.0, 100.0));
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < request_.iterations; ++i) seconds.push_back(seconds_of(calls));
    std::sort(seconds.begin(), seconds.end());
    const double median = seconds[seconds.size() / 2];
    fmt::print(R"({{"op": "{}", "shape": "{}", "dtype": "{}", "ms": {:.3f}, "{}": {:.1f}}})"
               "\n",
               op, shape, request_.precision, 1e3 * median, work.flop > 0 ? "gflop_per_s" : "gb_per_s",
               1e-9 * (work.flop > 0 ? work.flop : work.bytes) / median);
    std::fflush(stdout);  // a time limit may end the program: what it has measured stays
    return median;
  }

 private:
  const Request& request_;
  Backend& backend_;
};

std::string shape_of(const Conv2dDesc& d) {
  return fmt::format("{}x{}x{}x{} {}x{} /{} -> {}", d.N, d.H, d.W, d.C, d.R, d.S, d.stride, d.K);
}

/// Totals over the network, in seconds.
struct Totals {
  double conv = 0, conv_flop = 0, norm = 0;
};

/// Small numbers: no denormals, nothing that overflows.
DeviceTensor filled(Backend& backend, DType dtype, const Shape& shape) {
  DeviceTensor result(backend, dtype, shape);
  const std::int64_t count = shape.num_elements(), period = std::min<std::int64_t>(count, 8191);
  const TensorView flat = TensorView(result).reshaped({count});
  backend.copy(DeviceTensor(backend, dtype, {period}, random_values(period, 1)), flat.slice(0, period));
  for (std::int64_t done = period; done < count; done *= 2) {
    const std::int64_t more = std::min(done, count - done);
    backend.copy(flat.slice(0, more), flat.slice(done, more));
  }
  backend.synchronize();
  return result;
}

void bench_conv(Bench& bench, Backend& backend, const LayerConv& layer, bool first, Totals& totals) {
  const Conv2dDesc& d = layer.desc;
  const DeviceTensor x = filled(backend, d.dtype, {d.N, d.H, d.W, d.C}),
                     w = filled(backend, d.dtype, {d.K, d.R, d.S, d.C}),
                     y = filled(backend, d.dtype, {d.N, d.P(), d.Q(), d.K}),
                     dw(backend, DType::kF32, {d.K, d.R, d.S, d.C});
  const double flop = 2.0 * static_cast<double>(d.N * d.P() * d.Q() * d.K * d.C) * d.R * d.S;
  const std::string shape = shape_of(d);
  const int runs = first ? 2 : 3;
  double seconds = bench.time("conv2d_grad_filter", shape, {flop, 0}, [&] { backend.conv2d_grad_filter(d, x, y, dw); });
  seconds += bench.time("conv2d", shape, {flop, 0}, [&] { backend.conv2d(d, x, w, y); });
  if (!first)
    seconds += bench.time("conv2d_grad_input", shape, {flop, 0}, [&] { backend.conv2d_grad_input(d, y, w, x); });
  totals.conv += layer.count * seconds;
  totals.conv_flop += layer.count * runs * flop;
}

void bench_norm(Bench& bench, Backend& backend, const LayerConv& layer, Totals& totals) {
  const Conv2dDesc& conv = layer.desc;
  const bool last = conv.R == 1 && conv.K >= 2 * conv.C;  // of a bottleneck: with a residual
  const BatchNormDesc d{2, conv.N / 2 * conv.P() * conv.Q(), conv.K, true, last, conv.dtype, conv.dtype};
  const Shape shape{d.views, d.rows, d.channels}, per_view{d.views, d.channels};
  const DeviceTensor x = filled(backend, d.dtype, shape), dy = filled(backend, d.dtype, shape),
                     y(backend, d.dtype, shape),
                     ones(backend, DType::kF32, per_view, Values(static_cast<std::size_t>(2 * d.channels), 1.0)),
                     gamma(backend, DType::kF32, {d.channels}, Values(static_cast<std::size_t>(d.channels), 1.0)),
                     sums(backend, DType::kF64, {d.views, 2, d.channels});
  const double bytes = static_cast<double>(shape.num_elements()) * static_cast<double>(size_of(d.dtype));
  const std::string name = shape.to_string() + (last ? " residual" : "");
  const ConstTensorView none, residual = last ? ConstTensorView(dy) : none, output = last ? ConstTensorView(y) : none;
  const BatchNormMap norm{ones, ones, gamma, gamma};
  double seconds = bench.time("batch_norm_sums", name, {0, bytes}, [&] { backend.batch_norm_sums(d, x, sums); });
  seconds += bench.time("batch_normalize", name, {0, bytes * (last ? 3 : 2)},
                        [&] { backend.batch_normalize(d, x, norm, residual, y); });
  seconds += bench.time("batch_norm_grad_sums", name, {0, bytes * (last ? 4 : 2)},
                        [&] { backend.batch_norm_grad_sums(d, x, output, norm, dy, {}, sums, {}, {}); });
  seconds += bench.time("batch_norm_grad_input", name, {0, bytes * 3},
                        [&] { backend.batch_norm_grad_input(d, x, norm, dy, sums, static_cast<double>(d.rows), dy); });
  totals.norm += layer.count * seconds;
}

/// What memory can do: the bound of everything that only moves numbers.
void bench_copy(Bench& bench, Backend& backend) {
  const std::int64_t size = 256 << 20;
  const Buffer from = backend.allocate(size), to = backend.allocate(size);
  const ConstTensorView source(from.data(), DType::kU8, {size});
  const TensorView target(to.data(), DType::kU8, {size});
  backend.fill_zero(TensorView(from.data(), DType::kU8, {size}));
  bench.time("copy", "256 MiB", {0, 2.0 * static_cast<double>(size)}, [&] { backend.copy(source, target); });
}

/// Both forms of the loss at the published size.
void bench_loss(Bench& bench, Backend& backend) {
  const std::int64_t B = 2048, D = 8192;
  const DeviceTensor zh = filled(backend, DType::kF32, {B, D}), c = filled(backend, DType::kF32, {D, D}),
                     k(backend, DType::kF32, {B, B}), terms(backend, DType::kF64, {2});
  const double gram = 2.0 * static_cast<double>(B * B * D), direct = 2.0 * static_cast<double>(B * D * D);
  bench.time("loss", "direct, C", {direct, 0},
             [&] { backend.gemm({.M = D, .N = D, .K = B, .transpose_a = true}, zh, zh, c); });
  bench.time("loss", "direct, terms", {0, 8.0 * static_cast<double>(D * D)},
             [&] { backend.barlow_terms(c, 0.005F, 1, terms); });
  bench.time("loss", "Gram, K", {gram, 0},
             [&] { backend.gemm({.M = B, .N = B, .K = D, .transpose_b = true}, zh, zh, k); });
  bench.time("loss", "Gram, gradient", {gram, 0},
             [&] { backend.gemm({.M = B, .N = D, .K = B}, k, zh, TensorView(c).slice(0, B)); });
}

void bench_rest(Bench& bench, Backend& backend, std::int64_t images, DType dtype) {
  const MaxPoolDesc pool{images, 112, 112, 64, 3, 2, 1, dtype};
  const DeviceTensor x = filled(backend, dtype, {images, 112, 112, 64}), y(backend, dtype, {images, 56, 56, 64}),
                     argmax(backend, DType::kU8, {images, 56, 56, 64});
  const double bytes = static_cast<double>(images * 112 * 112 * 64) * static_cast<double>(size_of(dtype));
  bench.time("max_pool", "112 -> 56", {0, 1.25 * bytes}, [&] { backend.max_pool(pool, x, y, argmax); });
  bench.time("max_pool_grad", "56 -> 112", {0, 1.25 * bytes}, [&] { backend.max_pool_grad(pool, y, argmax, x); });

  const std::int64_t D = 8192;
  const DeviceTensor h = filled(backend, dtype, {images, D}), w = filled(backend, dtype, {D, D}),
                     z(backend, dtype, {images, D}), dw(backend, DType::kF32, {D, D});
  const double flop = 2.0 * static_cast<double>(images * D * D);
  bench.time("gemm", "projector, y", {flop, 0},
             [&] { backend.gemm({.M = images, .N = D, .K = D, .transpose_b = true}, h, w, z); });
  bench.time("gemm", "projector, dx", {flop, 0}, [&] { backend.gemm({.M = images, .N = D, .K = D}, h, w, z); });
  bench.time("gemm", "projector, dw", {flop, 0},
             [&] { backend.gemm({.M = D, .N = D, .K = images, .transpose_a = true}, z, h, dw); });
  const std::int64_t size = 32 << 20;
  const std::vector<LarsSegment> segments{{0, size, true}};
  const DeviceTensor values = filled(backend, DType::kF32, {size}), gradients = filled(backend, DType::kF32, {size}),
                     momentum = filled(backend, DType::kF32, {size}), norms(backend, DType::kF64, {1, 2});
  const double buffer = 4.0 * static_cast<double>(size);
  bench.time("segment_norms", "32 Mi", {0, 2 * buffer},
             [&] { backend.segment_norms(segments, {.weight_decay = 1e-6F}, values, gradients, norms); });
  bench.time("lars_update", "32 Mi", {0, 5 * buffer}, [&] {
    backend.lars_update(segments, {1e-4F, 1e-4F, 1e-6F, 0.9F, 1e-3F, false}, norms, values, gradients, momentum, {});
  });
}

void run(const Request& r) {
  const auto backend = make_backend({.device = r.device, .num_threads = r.threads});
  const DType dtype = choose_dtype(r.precision, *backend);
  Bench bench(r, *backend);
  Totals totals;
  bool first = true;
  for (const LayerConv& layer : resnet50_convs(r.images, dtype)) {
    bench_conv(bench, *backend, layer, first, totals);
    bench_norm(bench, *backend, layer, totals);
    first = false;
  }
  bench_rest(bench, *backend, r.images, dtype);
  bench_copy(bench, *backend);
  if (r.loss) bench_loss(bench, *backend);
  fmt::print(
      R"({{"op": "total", "device": "{}", "images": {}, "dtype": "{}", "conv_s": {:.5f}, "conv_gflop_per_s": {:.1f}, "norm_s": {:.5f}}})"
      "\n",
      backend->description(), r.images, r.precision, totals.conv,
      totals.conv > 0 ? 1e-9 * totals.conv_flop / totals.conv : 0, totals.norm);
}

}  // namespace

int main(int argc, char** argv) {
  Request r;
  CLI::App command("Times single operations on ResNet-50's shapes.", "bench_ops");
  command.add_option("--images", r.images, "of both views together")->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--precision", r.precision)->check(CLI::IsMember({"fp32", "bf16", "fp16"}))->capture_default_str();
  command.add_option("--filter", r.filter, "only operations whose name contains this");
  command.add_option("--device", r.device, "auto, cpu or cuda")->capture_default_str();
  command.add_flag("--loss", r.loss, "also the loss at batch 2048, width 8192");
  command.add_option("--threads", r.threads, "0: all cores")->capture_default_str();
  command.add_option("--iters", r.iterations)->check(CLI::PositiveNumber)->capture_default_str();
  command
      .add_option("--clock", r.clock,
                  "wall, or cpu: time used by all threads (with one thread: fair on a busy machine)")
      ->check(CLI::IsMember({"wall", "cpu"}))
      ->capture_default_str();
  CLI11_PARSE(command, argc, argv);
  try {
    run(r);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_ops: {}\n", error.what());
    return 1;
  }
  return 0;
}
