// SPDX-License-Identifier: Apache-2.0
#include "conv_graph.hpp"

#include <cudnn_frontend.h>
#include <fmt/format.h>

#include <unordered_map>
#include <vector>

#include "barlow/base/error.hpp"

namespace barlow::cuda {
namespace {

namespace fe = cudnn_frontend;
using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

enum Uid : std::int64_t { kX = 1, kW, kY };

void check(fe::error_t error, const ConvKey& key) {
  if (error.is_bad()) throw DeviceError("cuDNN: " + error.get_message() + " (" + key.to_string() + ")");
}

fe::DataType_t type_of(DType dtype) {
  return dtype == DType::kBF16  ? fe::DataType_t::BFLOAT16
         : dtype == DType::kF16 ? fe::DataType_t::HALF
                                : fe::DataType_t::FLOAT;
}

/// cuDNN counts [N,C,H,W] and learns from the strides that memory is NHWC.
fe::graph::Tensor_attributes tensor(Uid uid, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                                    fe::DataType_t type) {
  return fe::graph::Tensor_attributes()
      .set_uid(uid)
      .set_dim({n, c, h, w})
      .set_stride({h * w * c, 1, w * c, c})
      .set_data_type(type);
}

template <class Attributes>
Attributes geometry(const Conv2dDesc& d) {
  Attributes attributes;
  attributes.set_pre_padding({d.padding, d.padding})
      .set_post_padding({d.padding, d.padding})
      .set_stride({d.stride, d.stride})
      .set_dilation({1, 1});
  return attributes;
}

void add_convolution(fe::graph::Graph& graph, const ConvKey& key) {
  const Conv2dDesc& d = key.desc;
  const auto type = type_of(d.dtype);
  const auto x = tensor(kX, d.N, d.C, d.H, d.W, type), w = tensor(kW, d.K, d.C, d.R, d.S, type),
             y = tensor(kY, d.N, d.K, d.P(), d.Q(), type);
  const auto declare = [&](const Tensor& result, const fe::graph::Tensor_attributes& as) {
    result->set_output(true)
        .set_uid(as.get_uid())
        .set_dim(as.get_dim())
        .set_stride(as.get_stride())
        .set_data_type(type);
  };
  switch (key.kind) {
    case ConvKind::kForward:
      declare(graph.conv_fprop(graph.tensor(x), graph.tensor(w), geometry<fe::graph::Conv_fprop_attributes>(d)), y);
      return;
    case ConvKind::kGradInput:
      declare(graph.conv_dgrad(graph.tensor(y), graph.tensor(w), geometry<fe::graph::Conv_dgrad_attributes>(d)), x);
      return;
    case ConvKind::kGradFilter:
      declare(graph.conv_wgrad(graph.tensor(y), graph.tensor(x), geometry<fe::graph::Conv_wgrad_attributes>(d)), w);
      return;
  }
}

}  // namespace

std::string ConvKey::to_string() const {
  const char* direction = kind == ConvKind::kForward     ? "forward"
                          : kind == ConvKind::kGradInput ? "grad-input"
                                                         : "grad-filter";
  return fmt::format("{}{} {} {}x{}x{}x{} {}x{}x{} stride {} padding {}", tf32 ? "tf32" : name_of(desc.dtype),
                     deterministic ? " deterministic" : "", direction, desc.N, desc.H, desc.W, desc.C, desc.K, desc.R,
                     desc.S, desc.stride, desc.padding);
}

struct ConvGraph::Graph {
  fe::graph::Graph graph;
  ConvKey key;

  explicit Graph(const ConvKey& k) : key(k) {
    graph.set_io_data_type(type_of(key.desc.dtype))
        .set_compute_data_type(fe::DataType_t::FLOAT)
        .set_intermediate_data_type(fe::DataType_t::FLOAT);
    add_convolution(graph, key);
  }
  /// After the device is known.
  void plan() {
    check(graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}), key);
    std::vector<fe::NumericalNote_t> unwanted;
    if (key.deterministic) unwanted.push_back(fe::NumericalNote_t::NONDETERMINISTIC);
    if (key.desc.dtype == DType::kF32 && !key.tf32) {
      // fp32 is what others are compared with: no rounded inputs, no transforms that cost digits.
      unwanted.insert(unwanted.end(), {fe::NumericalNote_t::TENSOR_CORE, fe::NumericalNote_t::DOWN_CONVERT_INPUTS,
                                       fe::NumericalNote_t::WINOGRAD, fe::NumericalNote_t::FFT});
    }
    if (!unwanted.empty()) graph.deselect_numeric_notes(unwanted);
  }
};

ConvGraph::ConvGraph(const ConvKey& key, cudnnContext* handle) : graph_(std::make_unique<Graph>(key)) {
  check(graph_->graph.validate(), key);
  check(graph_->graph.build_operation_graph(handle), key);
  graph_->plan();
}

ConvGraph::ConvGraph(const ConvKey& key, const std::string& device) : graph_(std::make_unique<Graph>(key)) {
  auto properties = std::make_shared<fe::DeviceProperties>();
  check(properties->deserialize(std::vector<std::uint8_t>(device.begin(), device.end())), key);
  graph_->graph.set_device_properties(properties);
  check(graph_->graph.validate(), key);
  check(graph_->graph.build_operation_graph(), key);
  graph_->plan();
}

ConvGraph::ConvGraph(ConvGraph&&) noexcept = default;
ConvGraph::~ConvGraph() = default;

int ConvGraph::num_plans() const { return static_cast<int>(graph_->graph.get_execution_plan_count()); }

bool ConvGraph::build(int index) { return graph_->graph.build_plan_at_index(index).is_good(); }

std::string ConvGraph::name(int index) const {
  std::string name;
  check(graph_->graph.get_plan_name_at_index(index, name), graph_->key);
  return name;
}

std::int64_t ConvGraph::workspace_bytes(int index) const {
  std::int64_t bytes = 0;
  check(graph_->graph.get_workspace_size_plan_at_index(index, bytes), graph_->key);
  return bytes;
}

void ConvGraph::execute(int index, cudnnContext* handle, void* x, void* w, void* y, void* workspace) const {
  std::unordered_map<std::int64_t, void*> tensors{{kX, x}, {kW, w}, {kY, y}};
  check(graph_->graph.execute_plan_at_index(handle, tensors, workspace, index), graph_->key);
}

}  // namespace barlow::cuda
