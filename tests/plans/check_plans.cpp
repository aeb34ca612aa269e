// SPDX-License-Identifier: Apache-2.0
// Asks cuDNN for every convolution plan of ResNet-50, both views in one pass, on a device that need not be there.
// Writes a table of engines and workspaces. Fails if a plan is missing, or if a convolution in 2 bytes must do without
// the heuristics' best guesses, as it would where the workspace is too small for them. Proves support, not speed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "backend/cuda/conv_graph.hpp"
#include "backend/cuda/workspace.hpp"
#include "barlow/backend/make_backend.hpp"
#include "barlow/base/error.hpp"
#include "support/op_cases.hpp"

using namespace barlow;

namespace {

struct Request {
  std::string device, table;
  std::vector<std::int64_t> batches{32, 256, 1024};  // images; two views of each go through the network
  std::vector<std::string> precisions{"bf16", "fp16", "fp32"};
  bool deterministic = false;
  std::optional<std::int64_t> workspace_mib;
};

// Engines of the 2-byte types without tensor cores come after many with.
constexpr int kBestGuesses = 3;

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw DataError("cannot read \"" + path + "\"");
  return text.str();
}

/// The first plan that this device can run within the workspace; nothing if there is none.
struct FirstPlan {
  int index;
  std::string line;  ///< of the table
};
std::optional<FirstPlan> first_plan(const cuda::ConvKey& key, const std::string& device, std::int64_t workspace_bytes) {
  cuda::ConvGraph graph(key, device);
  for (int plan = 0; plan < graph.num_plans(); ++plan) {
    if (!graph.build(plan) || graph.workspace_bytes(plan) > workspace_bytes) continue;
    return FirstPlan{plan, fmt::format("{}\t{}\t{}\t{}\t{:.2f}\n", key.to_string(), graph.num_plans(), plan,
                                       graph.name(plan), static_cast<double>(graph.workspace_bytes(plan)) / (1 << 20))};
  }
  return std::nullopt;
}

/// What the program would give plans on this device.
std::int64_t default_workspace_bytes(const std::string& device) {
  const auto total = nlohmann::json::parse(device).at("totalGlobalMem").get<std::size_t>();
  return static_cast<std::int64_t>(cuda::workspace_bytes(total));
}

int run(const Request& request) {
  const std::string device = read(request.device);
  const std::int64_t workspace = request.workspace_mib ? *request.workspace_mib << 20 : default_workspace_bytes(device);
  std::ofstream table(request.table);
  table << "convolution\tplans\tfirst that runs\tengine\tworkspace MiB\n";
  int found = 0, missing = 0, poor = 0;
  for (const std::string& precision : request.precisions) {
    for (const std::int64_t batch : request.batches) {
      bool stem = true;
      for (const auto& layer : testing::resnet50_convs(2 * batch, parse_precision(precision, DType::kF32))) {
        for (const auto kind : {cuda::ConvKind::kForward, cuda::ConvKind::kGradInput, cuda::ConvKind::kGradFilter}) {
          if (stem && kind == cuda::ConvKind::kGradInput) continue;  // nobody asks for the images' gradient
          const cuda::ConvKey key{
              .desc = layer.desc, .kind = kind, .tf32 = precision == "tf32", .deterministic = request.deterministic};
          const auto plan = first_plan(key, device, workspace);
          ++(plan ? found : missing);
          if (!plan) {
            fmt::print("no plan: {}\n", key.to_string());
            continue;
          }
          table << plan->line;
          if (size_of(key.desc.dtype) == 2 && plan->index >= kBestGuesses) {
            ++poor;
            fmt::print("not by one of the first {} plans within {} MiB: {}", kBestGuesses, workspace >> 20, plan->line);
          }
        }
        stem = false;
      }
    }
  }
  if (!table.flush()) throw StorageError("cannot write \"" + request.table + "\"");
  fmt::print("{} plans found, {} of them poor, {} missing; table: {}\n", found, poor, missing, request.table);
  return missing + poor == 0 ? 0 : 1;
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
  command.add_option("--workspace", request.workspace_mib, "MiB a plan may use; as the program has it if not given");
  CLI11_PARSE(command, argc, argv);
  try {
    return run(request);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
