// SPDX-License-Identifier: Apache-2.0
#include "support/fake_device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "barlow/base/error.hpp"

namespace barlow::testing {
namespace {

/// One allocation: memory that is mapped twice, once where nobody may touch it and once for the fake device.
struct Region {
  std::size_t size_bytes;
  std::byte* shadow;
};
/// By the address that the program sees. Staging memory has no shadow.
std::map<const std::byte*, Region>& device_regions() {
  static std::map<const std::byte*, Region> regions;
  return regions;
}
std::map<const std::byte*, Region>& staging_regions() {
  static std::map<const std::byte*, Region> regions;
  return regions;
}

const std::pair<const std::byte* const, Region>* find(const std::map<const std::byte*, Region>& regions,
                                                      const void* data) {
  const auto* address = static_cast<const std::byte*>(data);
  auto next = regions.upper_bound(address);
  if (next == regions.begin()) return nullptr;
  --next;
  return address < next->first + next->second.size_bytes ? &*next : nullptr;
}

std::byte* shadow_of(ConstTensorView x) {
  if (x.data == nullptr) return nullptr;
  const auto* region = find(device_regions(), x.data);
  if (region == nullptr) throw ShapeError("a device was given an address that is not its own");
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(x.data) - region->first);
  if (offset + x.size_bytes() > region->second.size_bytes) throw ShapeError("a tensor reaches beyond its memory");
  return region->second.shadow + offset;
}

/// A copy from the host: of staging memory as it is when the copy is done, of other memory as it is now.
std::function<void()> copy_of(ConstTensorView host, TensorView device) {
  const auto copy = [device](const void* from) { std::memcpy(shadow_of(device), from, device.size_bytes()); };
  if (find(staging_regions(), host.data) != nullptr) return [copy, host] { copy(host.data); };
  const auto* bytes = static_cast<const std::byte*>(host.data);
  return [copy, values = std::vector<std::byte>(bytes, bytes + host.size_bytes())] { copy(values.data()); };
}

void free_device(void* memory) noexcept {
  const auto region = device_regions().find(static_cast<const std::byte*>(memory));
  munmap(memory, region->second.size_bytes);
  munmap(region->second.shadow, region->second.size_bytes);
  device_regions().erase(region);
}

void free_staging(void* memory) noexcept {
  staging_regions().erase(static_cast<const std::byte*>(memory));
  ::operator delete(memory);
}

}  // namespace

FakeDevice::FakeDevice() : processor_(make_backend({.device = "cpu", .num_threads = 1})) {}

FakeDevice::~FakeDevice() = default;

TensorView FakeDevice::at(TensorView x) { return {shadow_of(x), x.dtype, x.shape}; }
ConstTensorView FakeDevice::at(ConstTensorView x) { return {shadow_of(x), x.dtype, x.shape}; }
BatchNormMap FakeDevice::at(const BatchNormMap& x) { return {at(x.mean), at(x.inv_std), at(x.gamma), at(x.beta)}; }

void FakeDevice::enqueue(std::function<void()> work) {
  (recorded_ != nullptr ? *recorded_ : queue_).push_back(std::move(work));
}

std::unique_ptr<Recording> FakeDevice::record(const std::function<void()>& work) {
  struct Recorded final : Recording {
    FakeDevice* device;
    std::vector<std::function<void()>> operations;
    void replay() override {
      ++device->num_replays;
      for (const auto& operation : operations) device->enqueue(operation);
    }
  };
  auto recording = std::make_unique<Recorded>();
  recording->device = this;
  recorded_ = &recording->operations;
  try {
    work();
  } catch (...) {
    recorded_ = nullptr;
    throw;
  }
  recorded_ = nullptr;
  if (refuses_to_record) throw DeviceError("the driver refused");
  ++num_recordings;
  return recording;
}

Buffer FakeDevice::allocate(std::size_t size_bytes) {
  if (recorded_ != nullptr) throw DeviceError("allocating on a device that records");
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t size = (std::max<std::size_t>(1, size_bytes) + page - 1) / page * page;
  const int file = memfd_create("fake-device", 0);
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) throw DeviceError("no memory for a fake device");
  void* const seen = mmap(nullptr, size, PROT_NONE, MAP_SHARED, file, 0);
  void* const shadow = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (seen == MAP_FAILED || shadow == MAP_FAILED) throw DeviceError("no memory for a fake device");
  std::memset(shadow, 0xFF, size);  // NaN
  device_regions()[static_cast<const std::byte*>(seen)] = {size, static_cast<std::byte*>(shadow)};
  return {seen, size_bytes, free_device};
}

Buffer FakeDevice::allocate_staging(std::size_t size_bytes) {
  void* const memory = ::operator new(std::max<std::size_t>(1, size_bytes));
  staging_regions()[static_cast<const std::byte*>(memory)] = {std::max<std::size_t>(1, size_bytes), nullptr};
  return {memory, size_bytes, free_staging};
}

void FakeDevice::synchronize() {
  if (recorded_ != nullptr) throw DeviceError("waiting for a device that records");
  const std::vector<std::function<void()>> work = std::move(queue_);
  queue_.clear();
  for (const auto& operation : work) operation();
}

void FakeDevice::do_copy_to_device(In host, Out device) {
  if (recorded_ != nullptr) throw DeviceError("copying from the host to a device that records");
  enqueue(copy_of(host, device));
}

void FakeDevice::do_copy_to_host(In device, Out host) {
  enqueue([device, host] { std::memcpy(host.data, at(device).data, host.size_bytes()); });
  synchronize();
}

void FakeDevice::do_copy(In from, Out to) {
  enqueue([=, this] { processor_->copy(at(from), at(to)); });
}

void FakeDevice::do_fill_zero(Out x) {
  enqueue([=, this] { processor_->fill_zero(at(x)); });
}

void FakeDevice::do_cast(In from, Out to) {
  enqueue([=, this] { processor_->cast(at(from), at(to)); });
}

void FakeDevice::bring(std::function<void()> input) {
  input_.push_back(std::move(input));
  ++num_inputs_;
}

void FakeDevice::await_input(int mark) {
  enqueue([this, mark] {
    while (num_inputs_ - input_.size() < static_cast<std::size_t>(mark)) {
      input_.front()();
      input_.pop_front();
    }
  });
}

void FakeDevice::do_upload(In host, Out device) { bring(copy_of(host, device)); }

void FakeDevice::do_make_views(std::span<const pixels::ViewPlan> plans, In images, Out views) {
  const auto make = [=, this](std::span<const pixels::ViewPlan> some) {
    processor_->make_views(some, at(images), at(views));
  };
  if (find(staging_regions(), plans.data()) != nullptr) return bring([make, plans] { make(plans); });
  bring([make, own = std::vector(plans.begin(), plans.end())] { make(own); });
}

void FakeDevice::do_normalize_images(In x, const std::array<float, 3>& mean, const std::array<float, 3>& std, Out y) {
  enqueue([=, this] { processor_->normalize_images(at(x), mean, std, at(y)); });
}

void FakeDevice::do_conv2d(const Conv2dDesc& desc, In x, In w, Out y) {
  enqueue([=, this] { processor_->conv2d(desc, at(x), at(w), at(y)); });
}

void FakeDevice::do_conv2d_grad_input(const Conv2dDesc& desc, In dy, In w, Out dx) {
  enqueue([=, this] { processor_->conv2d_grad_input(desc, at(dy), at(w), at(dx)); });
}

void FakeDevice::do_conv2d_grad_filter(const Conv2dDesc& desc, In x, In dy, Out dw) {
  enqueue([=, this] { processor_->conv2d_grad_filter(desc, at(x), at(dy), at(dw)); });
}

void FakeDevice::do_batch_norm_sums(const BatchNormDesc& desc, In x, Out sums) {
  enqueue([=, this] { processor_->batch_norm_sums(desc, at(x), at(sums)); });
}

void FakeDevice::do_batch_norm_statistics(In sums, double count, float eps, float momentum, Out mean, Out inv_std,
                                          Out running_mean, Out running_var) {
  enqueue([=, this] {
    processor_->batch_norm_statistics(at(sums), count, eps, momentum, at(mean), at(inv_std), at(running_mean),
                                      at(running_var));
  });
}

void FakeDevice::do_batch_norm_inference_statistics(In running_mean, In running_var, float eps, Out mean, Out inv_std) {
  enqueue([=, this] {
    processor_->batch_norm_inference_statistics(at(running_mean), at(running_var), eps, at(mean), at(inv_std));
  });
}

void FakeDevice::do_batch_normalize(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In residual, Out y) {
  enqueue([=, this] { processor_->batch_normalize(desc, at(x), at(norm), at(residual), at(y)); });
}

void FakeDevice::do_batch_norm_grad_sums(const BatchNormDesc& desc, In x, In y, const BatchNormMap& norm, Out dy,
                                         In dy_extra, Out sums, Out dgamma, Out dbeta) {
  enqueue([=, this] {
    processor_->batch_norm_grad_sums(desc, at(x), at(y), at(norm), at(dy), at(dy_extra), at(sums), at(dgamma),
                                     at(dbeta));
  });
}

void FakeDevice::do_batch_norm_grad_input(const BatchNormDesc& desc, In x, const BatchNormMap& norm, In dy, In sums,
                                          double count, Out dx) {
  enqueue([=, this] { processor_->batch_norm_grad_input(desc, at(x), at(norm), at(dy), at(sums), count, at(dx)); });
}

void FakeDevice::do_max_pool(const MaxPoolDesc& desc, In x, Out y, Out argmax) {
  enqueue([=, this] { processor_->max_pool(desc, at(x), at(y), at(argmax)); });
}

void FakeDevice::do_max_pool_grad(const MaxPoolDesc& desc, In dy, In argmax, Out dx) {
  enqueue([=, this] { processor_->max_pool_grad(desc, at(dy), at(argmax), at(dx)); });
}

void FakeDevice::do_global_average_pool(In x, Out y) {
  enqueue([=, this] { processor_->global_average_pool(at(x), at(y)); });
}

void FakeDevice::do_global_average_pool_grad(In dy, Out dx) {
  enqueue([=, this] { processor_->global_average_pool_grad(at(dy), at(dx)); });
}

void FakeDevice::do_gemm(const GemmDesc& desc, In a, In b, Out c) {
  enqueue([=, this] { processor_->gemm(desc, at(a), at(b), at(c)); });
}

void FakeDevice::do_add(In x, Out y) {
  enqueue([=, this] { processor_->add(at(x), at(y)); });
}

void FakeDevice::do_column_dots(In a, In b, Out sums) {
  enqueue([=, this] { processor_->column_dots(at(a), at(b), at(sums)); });
}

void FakeDevice::do_dot(In a, In b, Out sum) {
  enqueue([=, this] { processor_->dot(at(a), at(b), at(sum)); });
}

void FakeDevice::do_multiply_columns(In x, In column, float beta, Out y) {
  enqueue([=, this] { processor_->multiply_columns(at(x), at(column), beta, at(y)); });
}

void FakeDevice::do_barlow_terms(Out c, float lambda, float scale, Out terms) {
  enqueue([=, this] { processor_->barlow_terms(at(c), lambda, scale, at(terms)); });
}

void FakeDevice::do_barlow_gram_terms(In diagonal, In square, double count, float lambda, float scale, Out terms,
                                      Out coefficient) {
  enqueue([=, this] {
    processor_->barlow_gram_terms(at(diagonal), at(square), count, lambda, scale, at(terms), at(coefficient));
  });
}

void FakeDevice::do_segment_norms(std::span<const LarsSegment> segments, const LarsStep& step, In values, In gradients,
                                  Out norms) {
  enqueue([=, this, copy = std::vector<LarsSegment>(segments.begin(), segments.end())] {
    processor_->segment_norms(copy, step, at(values), at(gradients), at(norms));
  });
}

void FakeDevice::do_lars_update(std::span<const LarsSegment> segments, const LarsStep& step, In norms, Out values,
                                In gradients, Out momentum, Out compute) {
  enqueue([=, this, copy = std::vector<LarsSegment>(segments.begin(), segments.end())] {
    processor_->lars_update(copy, step, at(norms), at(values), at(gradients), at(momentum), at(compute));
  });
}

}  // namespace barlow::testing
