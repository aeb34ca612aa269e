// SPDX-License-Identifier: Apache-2.0
#include "cuda_backend.hpp"

#include <fmt/format.h>

#include <array>

#include "barlow/base/log.hpp"
#include "device.hpp"
#include "device_memory.hpp"
#include "graph_recording.hpp"
#include "workspace.hpp"

namespace barlow::cuda {
namespace {

// Sums of [V,2,C] from at most kSummingBlocks blocks, of 256 channels each: 2.2 MB; 32 MB for a million channels.
constexpr std::size_t kPartsBytes = std::size_t{32} << 20;
// Of 65,535 views, the most that make_views takes.
constexpr std::size_t kPlansBytes = (std::size_t{1} << 16) * (sizeof(pixels::ViewPlan) + sizeof(std::uint64_t));
// The largest filter of a ResNet, 3x3 from 512 to 512 channels, in 2 bytes: 4.7 MB.
constexpr std::size_t kFilterBytes = std::size_t{5} << 20;

Stream make_stream_on(int device) {
  check(cudaSetDevice(device));
  return make_stream();
}

/// The generation: 9 for sm_90. Asked for alone: all properties together take a millisecond.
int major_version_of(int device) {
  int major = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  return major;
}

struct DeviceMemory {
  std::size_t free_bytes = 0, total_bytes = 0;
};
/// Of the current device.
DeviceMemory device_memory() {
  DeviceMemory memory;
  check(cudaMemGetInfo(&memory.free_bytes, &memory.total_bytes));
  return memory;
}

/// Whether a copy from this host memory may go on after the call has returned, and only the stream says when it ends.
bool is_page_locked(const void* host) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, host));
  return attributes.type == cudaMemoryTypeHost;
}

}  // namespace

CudaBackend::CudaBackend(const CudaOptions& options)
    : options_(options),
      stream_(make_stream_on(options.device)),
      input_stream_(make_stream()),
      input_marks_{make_event(), make_event(), make_event(), make_event()},
      workspace_(allocate_device(workspace_bytes(device_memory().total_bytes))),
      parts_(allocate_device(kPartsBytes)),
      plans_(allocate_device(kPlansBytes)),
      filter_scratch_(1),
      gemms_(stream(), workspace_.data(), workspace_.size_bytes(), options.tf32),
      convs_(stream(), PlanCache(PlanCache::default_folder(), describe_device(options.device), cudnn_version()),
             {workspace_.data(), workspace_.size_bytes()}) {
  filter_scratch_.front() = allocate_device(kFilterBytes);
}

CudaBackend::~CudaBackend() {
  cudaStreamSynchronize(input_stream_.get());
  cudaStreamSynchronize(stream());
}

std::string CudaBackend::description() const {
  return fmt::format("{}, {}", describe_device(options_.device), cudnn_version());
}

std::string CudaBackend::device_id() const {
  std::array<char, 32> id{};
  check(cudaDeviceGetPCIBusId(id.data(), static_cast<int>(id.size()), options_.device));
  return id.data();
}

DType CudaBackend::preferred_dtype() const { return supports(DType::kBF16) ? DType::kBF16 : DType::kF32; }

bool CudaBackend::supports(DType dtype) const {
  if (dtype == DType::kBF16) return major_version_of(options_.device) >= 8;
  return dtype == DType::kF32 || dtype == DType::kF16;
}

std::optional<std::size_t> CudaBackend::free_bytes() const { return device_memory().free_bytes; }

Buffer CudaBackend::allocate(std::size_t size_bytes) { return allocate_device(size_bytes); }

Buffer CudaBackend::allocate_staging(std::size_t size_bytes) {
  check(cudaSetDevice(options_.device));  // the caller may be a thread that has not met a device yet
  return allocate_pinned(size_bytes);
}

std::unique_ptr<Recording> CudaBackend::record(const std::function<void()>& work) {
  return std::make_unique<GraphRecording>(stream(), work);
}

void CudaBackend::synchronize() { check(cudaStreamSynchronize(stream())); }

void CudaBackend::copy_from_host(In host, Out device, cudaStream_t stream) {
  check(cudaMemcpyAsync(device.data, host.data, host.size_bytes(), cudaMemcpyHostToDevice, stream));
  // CUDA only says that such a copy "might be" finished; where the device reads pageable memory by itself it is not.
  if (!is_page_locked(host.data)) check(cudaStreamSynchronize(stream));
}

void CudaBackend::do_copy_to_device(In host, Out device) { copy_from_host(host, device, stream()); }

void CudaBackend::do_upload(In host, Out device) { copy_from_host(host, device, input_stream_.get()); }

int CudaBackend::mark_input() {
  const int mark = num_input_marks_++ % static_cast<int>(input_marks_.size());
  check(cudaEventRecord(input_marks_[static_cast<std::size_t>(mark)].get(), input_stream_.get()));
  return mark;
}

void CudaBackend::await_input(int mark) {
  check(cudaStreamWaitEvent(stream(), input_marks_[static_cast<std::size_t>(mark)].get()));
}

void CudaBackend::do_copy_to_host(In device, Out host) {
  check(cudaMemcpyAsync(host.data, device.data, device.size_bytes(), cudaMemcpyDeviceToHost, stream()));
  synchronize();
}

void CudaBackend::do_copy(In from, Out to) {
  check(cudaMemcpyAsync(to.data, from.data, from.size_bytes(), cudaMemcpyDeviceToDevice, stream()));
}

void CudaBackend::do_fill_zero(Out x) { check(cudaMemsetAsync(x.data, 0, x.size_bytes(), stream())); }

void CudaBackend::do_conv2d(const Conv2dDesc& desc, In x, In w, Out y) {
  convs_.run(key_of(desc, ConvKind::kForward), const_cast<void*>(x.data), const_cast<void*>(w.data), y.data);
}

void CudaBackend::do_conv2d_grad_input(const Conv2dDesc& desc, In dy, In w, Out dx) {
  convs_.run(key_of(desc, ConvKind::kGradInput), dx.data, const_cast<void*>(w.data), const_cast<void*>(dy.data));
}

// cuDNN writes a filter's gradient in the type of the images.
void CudaBackend::do_conv2d_grad_filter(const Conv2dDesc& desc, In x, In dy, Out dw) {
  const bool direct = desc.dtype == DType::kF32;
  const TensorView result(direct ? dw.data : filter_scratch(static_cast<std::size_t>(dw.num_elements()) * 2),
                          desc.dtype, dw.shape);
  convs_.run(key_of(desc, ConvKind::kGradFilter), const_cast<void*>(x.data), result.data, const_cast<void*>(dy.data));
  if (!direct) do_cast(result, dw);
}

void* CudaBackend::filter_scratch(std::size_t size_bytes) {
  if (filter_scratch_.back().size_bytes() < size_bytes) filter_scratch_.push_back(allocate_device(size_bytes));
  return filter_scratch_.back().data();
}

void CudaBackend::do_gemm(const GemmDesc& desc, In a, In b, Out c) {
  gemms_.run(desc, a.dtype, c.dtype, a.data, b.data, c.data);
}

const ChunkTable& CudaBackend::chunk_table(std::span<const LarsSegment> segments) {
  for (const ChunkTable& table : chunks_) {
    if (table.is_of(segments)) return table;
  }
  return chunks_.emplace_back(segments);
}

}  // namespace barlow::cuda
