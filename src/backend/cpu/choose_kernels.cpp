// SPDX-License-Identifier: Apache-2.0
#include "filter_gradient_kernels.hpp"
#include "row_kernels.hpp"
#include "winograd_kernels.hpp"

namespace barlow::cpu {

extern const RowKernels row_kernels_base;
extern const WinogradKernels winograd_kernels_base;
extern const FilterGradientTables filter_gradient_kernels_base;

#ifdef BARLOW_X86_LEVELS
extern const RowKernels row_kernels_v3, row_kernels_v4;
extern const WinogradKernels winograd_kernels_v3, winograd_kernels_v4;
extern const FilterGradientTables filter_gradient_kernels_v3, filter_gradient_kernels_v4,
    filter_gradient_kernels_v4_bf16;

namespace {

bool has_v4() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

template <class Kernels>
const Kernels& choose(const Kernels& base, const Kernels& v3, const Kernels& v4) {
  if (has_v4()) return v4;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? v3 : base;
}

}  // namespace

const RowKernels& row_kernels() {
  static const RowKernels& chosen = choose(row_kernels_base, row_kernels_v3, row_kernels_v4);
  return chosen;
}

const WinogradKernels& winograd_kernels() {
  static const WinogradKernels& chosen = choose(winograd_kernels_base, winograd_kernels_v3, winograd_kernels_v4);
  return chosen;
}

const FilterGradientTables& filter_gradient_kernels() {
  // Where the processor multiplies whole tiles, oneDNN's products are faster in bf16 (README.md).
  const bool computes_bf16 = __builtin_cpu_supports("avx512bf16") && !__builtin_cpu_supports("amx-bf16");
  static const FilterGradientTables& chosen =
      choose(filter_gradient_kernels_base, filter_gradient_kernels_v3,
             computes_bf16 ? filter_gradient_kernels_v4_bf16 : filter_gradient_kernels_v4);
  return chosen;
}
#else
const RowKernels& row_kernels() { return row_kernels_base; }

const WinogradKernels& winograd_kernels() { return winograd_kernels_base; }

const FilterGradientTables& filter_gradient_kernels() { return filter_gradient_kernels_base; }
#endif

}  // namespace barlow::cpu
