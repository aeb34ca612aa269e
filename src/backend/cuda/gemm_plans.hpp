// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "barlow/backend/op_descriptors.hpp"
#include "handles.hpp"

namespace barlow::cuda {

/// Matrix products by cuBLASLt, by the algorithm that its heuristics put first for each shape and type.
class GemmPlans {
 public:
  /// @param tf32  kF32 inputs may be rounded to TF32
  GemmPlans(cudaStream_t stream, void* workspace, std::size_t workspace_bytes, bool tf32);
  ~GemmPlans();

  /// In the order of the stream; device memory. @throws DeviceError
  void run(const GemmDesc& desc, DType ab, DType c, const void* a, const void* b, void* result);

 private:
  struct Plan;
  /// The algorithm depends on all of it, addresses included.
  struct Key {
    GemmDesc desc;
    DType ab, c;
    std::uint32_t a_alignment, b_alignment, c_alignment;  ///< in bytes
    auto operator<=>(const Key&) const = default;
  };
  Plan build(const Key& key) const;

  cudaStream_t stream_;
  void* workspace_;
  std::size_t workspace_bytes_;
  bool tf32_;
  CublasLt cublas_;
  std::map<Key, Plan> plans_;
};

}  // namespace barlow::cuda
