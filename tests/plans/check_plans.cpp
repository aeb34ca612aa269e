// SPDX-License-Identifier: Apache-2.0
// Asks cuDNN for every convolution plan of ResNet-50, both views in one pass, on a device that need not be there.
// Writes a table of engines and workspaces; fails if a plan is missing. Proves support, not speed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

#include "backend/cuda/conv_graph.hpp"
#include "barlow/backend/make_backend.hpp"
#include "barlow/base/error.hpp"
#include "support/op_cases.hpp"

using namespace barlow;

namespace {

struct Request {
  std::string device, table;
  std::vector<std::int64_t> batches{32, 256};  // images; two views of each go through the network
  std::vector<std::string> precisions{"bf16", "fp16", "fp32"};
  bool deterministic = false;
  std::int64_t workspace_mib = 256;
};

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw DataError("cannot read \"" + path + "\"");
  return text.str();
}

/// The first plan that this device can run within the workspace, as a line of the table; empty if there is none.
std::string first_plan(const cuda::ConvKey& key, const Request& request, const std::string& device) {
  cuda::ConvGraph graph(key, device);
  for (int plan = 0; plan < graph.num_plans(); ++plan) {
    if (!graph.build(plan) || graph.workspace_bytes(plan) > request.workspace_mib << 20) continue;
    return fmt::format("{}\t{}\t{}\t{}\t{:.2f}\n", key.to_string(), graph.num_plans(), plan, graph.name(plan),
                       static_cast<double>(graph.workspace_bytes(plan)) / (1 << 20));
  }
  return "";
}

int run(const Request& request) {
  const std::string device = read(request.device);
  std::ofstream table(request.table);
  table << "convolution\tplans\tfirst that runs\tengine\tworkspace MiB\n";
  int found = 0, missing = 0;
  for (const std::string& precision : request.precisions) {
    for (const std::int64_t batch : request.batches) {
      bool stem = true;
      for (const auto& layer : testing::resnet50_convs(2 * batch, parse_precision(precision, DType::kF32))) {
        for (const auto kind : {cuda::ConvKind::kForward, cuda::ConvKind::kGradInput, cuda::ConvKind::kGradFilter}) {
          if (stem && kind == cuda::ConvKind::kGradInput) continue;  // nobody asks for the images' gradient
          const cuda::ConvKey key{
              .desc = layer.desc, .kind = kind, .tf32 = precision == "tf32", .deterministic = request.deterministic};
          const std::string line = first_plan(key, request, device);
          table << line;
          ++(line.empty() ? missing : found);
          if (line.empty()) fmt::print("no plan: {}\n", key.to_string());
        }
        stem = false;
      }
    }
  }
  if (!table.flush()) throw StorageError("cannot write \"" + request.table + "\"");
  fmt::print("{} plans found, {} missing; table: {}\n", found, missing, request.table);
  return missing == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Request request;
  CLI::App command("Checks that cuDNN has a plan for every convolution of ResNet-50 on a device.", "check_plans");
  command.add_option("--device", request.device, "cuDNN's JSON description of the device")->required();
  command.add_option("--table", request.table, "file that receives the plans")->required();
  command.add_option("--batches", request.batches, "images per GPU")->delimiter(',')->capture_default_str();
  command.add_option("--precisions", request.precisions)->delimiter(',')->capture_default_str();
  command.add_flag("--deterministic", request.deterministic, "plans that give equal bits from equal runs only");
  command.add_option("--workspace", request.workspace_mib, "MiB a plan may use")->capture_default_str();
  CLI11_PARSE(command, argc, argv);
  try {
    return run(request);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
