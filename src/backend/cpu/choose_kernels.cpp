// SPDX-License-Identifier: Apache-2.0
#include "row_kernels.hpp"

namespace barlow::cpu {

extern const RowKernels row_kernels_base;
#ifdef BARLOW_X86_LEVELS
extern const RowKernels row_kernels_v3, row_kernels_v4;
#endif

const RowKernels& row_kernels() {
#ifdef BARLOW_X86_LEVELS
  static const RowKernels* const chosen = [] {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
      return &row_kernels_v4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &row_kernels_v3;
    return &row_kernels_base;
  }();
  return *chosen;
#else
  return row_kernels_base;
#endif
}

}  // namespace barlow::cpu
