// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Compiles a loop for several generations of x86-64; the loader chooses.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define BARLOW_MULTIVERSION __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define BARLOW_MULTIVERSION
#endif
