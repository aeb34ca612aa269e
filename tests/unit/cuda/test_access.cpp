// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/access.hpp"
#include "support/catch.hpp"

using namespace barlow;
using cuda::access_width;

namespace {

/// A tensor at an address that is never read.
ConstTensorView at(std::uintptr_t address, DType dtype) {
  return {reinterpret_cast<const void*>(address), dtype, {64}};  // NOLINT: that is the point
}

}  // namespace

TEST_CASE("as many neighbours as extent, type and every address allow") {
  const ConstTensorView aligned = at(0x1000, DType::kBF16);
  CHECK(access_width(64, 2, {aligned}) == 8);
  CHECK(access_width(20, 2, {aligned}) == 4);
  CHECK(access_width(13, 2, {aligned}) == 1);
  CHECK(access_width(64, 4, {at(0x1000, DType::kF32)}) == 4);
  // Windows that begin inside: 1, 4 and 8 elements after an aligned one.
  CHECK(access_width(64, 2, {aligned, at(0x1002, DType::kBF16)}) == 1);
  CHECK(access_width(64, 2, {aligned, at(0x1008, DType::kBF16)}) == 4);
  CHECK(access_width(64, 2, {aligned, at(0x1010, DType::kBF16)}) == 8);
  // 8 of 4 bytes are 32 bytes; a byte goes with any address that 8 divides.
  CHECK(access_width(64, 2, {aligned, at(0x1010, DType::kF32)}) == 4);
  CHECK(access_width(64, 2, {aligned, at(0x1020, DType::kF32), at(0x1008, DType::kU8)}) == 8);
  CHECK(access_width(64, 2, {aligned, at(0x1004, DType::kU8)}) == 4);
  CHECK(access_width(64, 2, {aligned, ConstTensorView()}) == 8);  // an optional tensor that is not there
}

TEST_CASE("an address's alignment is at most 256") {
  CHECK(cuda::alignment_of(at(0x10000, DType::kF32).data) == 256);
  CHECK(cuda::alignment_of(at(0x10100, DType::kF32).data) == 256);
  CHECK(cuda::alignment_of(at(0x10080, DType::kF32).data) == 128);
  CHECK(cuda::alignment_of(at(0x10004, DType::kF32).data) == 4);
  CHECK(cuda::alignment_of(at(0x10001, DType::kU8).data) == 1);
}
