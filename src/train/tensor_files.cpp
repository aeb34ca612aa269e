// SPDX-License-Identifier: Apache-2.0
#include "barlow/train/tensor_files.hpp"

#include <cstring>
#include <map>
#include <set>

#include "barlow/base/error.hpp"
#include "barlow/train/safetensors.hpp"

namespace barlow::train {
namespace {

const std::string kBackbone = "backbone.";

NamedTensor pack(std::string name, DType dtype, const Shape& shape, const void* values) {
  NamedTensor tensor{std::move(name), dtype, shape, {}};
  tensor.data.resize(static_cast<std::size_t>(shape.num_elements()) * size_of(dtype));
  std::memcpy(tensor.data.data(), values, tensor.data.size());
  return tensor;
}

/// The first part of a name: backbone, projector or bn.
std::string part_of(const std::string& name) { return name.substr(0, name.find('.')); }

/// What decides on a part's shapes.
std::string flags_of(const std::string& part) {
  return part + "." == kBackbone ? "--architecture, --stem and --backbone-width" : "--projector";
}

class InitialWeights {
 public:
  explicit InitialWeights(const std::filesystem::path& path) : path_(path), tensors_(read_safetensors(path)) {
    for (const NamedTensor& tensor : tensors_) by_name_[tensor.name] = &tensor;
  }

  bool has(const std::string& name) const { return find(name) != nullptr; }

  std::vector<float> values(const nn::Parameter& parameter) const {
    const NamedTensor* tensor = find(parameter.name);
    if (tensor == nullptr)
      refuse_network(parameter.name,
                     "is missing, though other tensors of the " + part_of(parameter.name) + " are there");
    if (tensor->dtype != DType::kF32) refuse(parameter.name + " is " + name_of(tensor->dtype) + ", expected fp32");
    if (!(tensor->shape == parameter.file_shape())) {
      refuse_network(parameter.name,
                     "is " + tensor->shape.to_string() + ", expected " + parameter.file_shape().to_string());
    }
    std::vector<float> values(static_cast<std::size_t>(tensor->shape.num_elements()));
    std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
    return values;
  }

  /// Tensors beyond those of the network: of a deeper one. What no projector follows (fc) and counts are no loss.
  void refuse_others(const nn::ParameterLayout& layout, const std::set<std::string>& parts) const {
    std::set<std::string> known;
    for (const auto* list : {&layout.parameters(), &layout.buffers()})
      for (const nn::Parameter& parameter : *list) known.insert(parameter.name);
    for (const NamedTensor& tensor : tensors_) {
      const std::string name = tensor.name.starts_with("layer") ? kBackbone + tensor.name : tensor.name;
      const bool is_of_network = name.starts_with(kBackbone + "layer") || name.starts_with("projector.");
      if (is_of_network && parts.contains(part_of(name)) && !known.contains(name) &&
          !name.ends_with(".num_batches_tracked"))
        refuse_network(name, "is of a deeper network than this");
    }
  }

  [[noreturn]] void refuse(const std::string& what) const { throw DataError("\"" + path_.string() + "\": " + what); }

 private:
  [[noreturn]] void refuse_network(const std::string& name, const std::string& what) const {
    refuse(name + " " + what + "; give the " + flags_of(part_of(name)) + " that the file was made with");
  }

  const NamedTensor* find(const std::string& name) const {
    for (const std::string& candidate : {name, name.starts_with(kBackbone) ? name.substr(kBackbone.size()) : name}) {
      if (const auto found = by_name_.find(candidate); found != by_name_.end()) return found->second;
    }
    return nullptr;
  }

  std::filesystem::path path_;
  std::vector<NamedTensor> tensors_;
  std::map<std::string, const NamedTensor*> by_name_;
};

}  // namespace

std::vector<float> tensor_to_host(Backend& backend, const nn::Parameter& parameter, ConstTensorView device) {
  std::vector<float> values(static_cast<std::size_t>(parameter.shape.num_elements()));
  backend.copy_to_host(device, TensorView(values.data(), DType::kF32, parameter.shape));
  return nn::to_file_layout(parameter, values);
}

void tensor_to_device(Backend& backend, const nn::Parameter& parameter, const std::vector<float>& values,
                      TensorView device) {
  const std::vector<float> laid_out = nn::to_memory_layout(parameter, values);
  backend.copy_to_device(ConstTensorView(laid_out.data(), DType::kF32, parameter.shape), device);
  backend.synchronize();
}

std::string batch_counter_of(const nn::Parameter& tensor) {
  if (tensor.kind != nn::ParameterKind::kRunningMean) return "";
  return tensor.name.substr(0, tensor.name.rfind('.') + 1) + "num_batches_tracked";
}

void load_initial_weights(const std::filesystem::path& file, nn::ParameterStore& store, Backend& backend,
                          RunningStatistics statistics) {
  const InitialWeights weights(file);
  const nn::ParameterLayout& layout = store.layout();
  std::set<std::string> parts;
  for (const nn::Parameter& parameter : layout.parameters()) {
    if (weights.has(parameter.name)) parts.insert(part_of(parameter.name));
  }
  if (parts.empty()) weights.refuse("no tensor of it belongs to this model");
  weights.refuse_others(layout, parts);
  for (std::size_t i = 0; i < layout.parameters().size(); ++i) {
    const nn::Parameter& parameter = layout.parameters()[i];
    if (!parts.contains(part_of(parameter.name))) continue;
    tensor_to_device(backend, parameter, weights.values(parameter), store.value(static_cast<int>(i)));
  }
  for (std::size_t i = 0; i < layout.buffers().size(); ++i) {
    const nn::Parameter& buffer = layout.buffers()[i];
    if (weights.has(buffer.name)) {
      tensor_to_device(backend, buffer, weights.values(buffer), store.buffer(static_cast<int>(i)));
    } else if (statistics == RunningStatistics::kRequired) {
      weights.refuse(buffer.name + " is missing: a frozen network needs its running statistics; save its whole state");
    }
  }
  store.refresh_compute_copy();
}

void export_backbone(const std::filesystem::path& file, const nn::ParameterStore& store, Backend& backend) {
  const nn::ParameterLayout& layout = store.layout();
  std::vector<NamedTensor> tensors;
  const auto add = [&](const nn::Parameter& parameter, ConstTensorView device) {
    if (!parameter.name.starts_with(kBackbone)) return;
    const std::vector<float> values = tensor_to_host(backend, parameter, device);
    const std::string name = parameter.name.substr(kBackbone.size());
    tensors.push_back(pack(name, DType::kF32, parameter.file_shape(), values.data()));
    if (const std::string counter = batch_counter_of(parameter); !counter.empty())
      tensors.push_back(pack(counter.substr(kBackbone.size()), DType::kI64, {}, &store.num_batches_tracked));
  };
  for (std::size_t i = 0; i < layout.parameters().size(); ++i)
    add(layout.parameters()[i], store.value(static_cast<int>(i)));
  for (std::size_t i = 0; i < layout.buffers().size(); ++i) add(layout.buffers()[i], store.buffer(static_cast<int>(i)));
  write_safetensors(file, tensors);
}

}  // namespace barlow::train
