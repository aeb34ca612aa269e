// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Compiles a loop for several generations of x86-64; the dynamic linker chooses by what the processor can do, which
/// sanitizers are not ready for. The generations are levels and not names of Intel's processors, which would match
/// those alone: any other would run the oldest version.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BARLOW_MULTIVERSION __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define BARLOW_MULTIVERSION
#endif
