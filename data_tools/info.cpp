// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "barlow/base/error.hpp"
#include "barlow/cli/flags.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/data/dataset.hpp"
#include "commands.hpp"

namespace barlow::data_tools {
namespace {

nlohmann::ordered_json describe(const data::Dataset& set) {
  std::array<std::int64_t, 3> encodings{};
  std::vector<std::int64_t> counts(set.class_names().size());
  std::int64_t bytes = 0, unlabelled = 0;
  std::int32_t width_min = set.info(0).width, width_max = 0, height_min = set.info(0).height, height_max = 0;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const data::SampleInfo& info = set.info(i);
    ++encodings[static_cast<std::size_t>(info.encoding)];
    if (info.label >= 0) ++counts[static_cast<std::size_t>(info.label)];
    unlabelled += info.label < 0;
    bytes += info.size_bytes;
    width_min = std::min(width_min, info.width), width_max = std::max(width_max, info.width);
    height_min = std::min(height_min, info.height), height_max = std::max(height_max, info.height);
  }
  nlohmann::ordered_json classes = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < counts.size(); ++c)
    classes.push_back({{"name", set.class_names()[c]}, {"images", counts[c]}});
  return {{"images", set.size()},
          {"bytes", bytes},
          {"shards", set.num_shards()},
          {"encodings", {{"raw", encodings[0]}, {"jpeg", encodings[1]}, {"png", encodings[2]}}},
          {"width", {width_min, width_max}},
          {"height", {height_min, height_max}},
          {"unlabelled", unlabelled},
          {"fingerprint", set.fingerprint()},
          {"classes", classes}};
}

void print_for_people(const nlohmann::ordered_json& info) {
  fmt::print("{} images, {:.1f} MB in {} shard(s)\n", info["images"].get<std::int64_t>(),
             info["bytes"].get<double>() * 1e-6, info["shards"].get<std::int64_t>());
  const auto& encodings = info["encodings"];
  fmt::print("stored as JPEG {}, PNG {}, raw {}\n", encodings["jpeg"].get<std::int64_t>(),
             encodings["png"].get<std::int64_t>(), encodings["raw"].get<std::int64_t>());
  fmt::print("width {} to {}, height {} to {} pixels\n", info["width"][0].get<int>(), info["width"][1].get<int>(),
             info["height"][0].get<int>(), info["height"][1].get<int>());
  fmt::print("fingerprint {}\n{} classes", info["fingerprint"].get<std::string>(), info["classes"].size());
  constexpr std::size_t kShown = 20;
  for (std::size_t c = 0; c < std::min(kShown, info["classes"].size()); ++c) {
    fmt::print("{}{} ({})", c == 0 ? ": " : ", ", info["classes"][c]["name"].get<std::string>(),
               info["classes"][c]["images"].get<std::int64_t>());
  }
  fmt::print("{}\n", info["classes"].size() > kShown ? ", ... (--json lists all)" : "");
}

}  // namespace

int info_command(int argc, char** argv, MpiSession& session) {
  CLI::App command("Says what is in a data set, without reading its images.", "barlow-data info");
  std::string path;
  bool as_json = false;
  command.add_option("DATASET", path, "a data set that `barlow-data pack` wrote")->required();
  command.add_flag("--json", as_json, "one JSON object on standard output");
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return *exit_code;
  const auto info = collectively(session, [&] { return describe(data::Dataset::open(path)); });
  if (!session.is_root()) return kExitFinished;
  if (as_json) {
    fmt::print("{}\n", info.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    print_for_people(info);
  }
  return kExitFinished;
}

int extract_command(int argc, char** argv, MpiSession& session) {
  CLI::App command("Writes the stored bytes of one image to a file, as they are.", "barlow-data extract");
  std::string path, output;
  std::int64_t index = 0;
  command.add_option("DATASET", path, "a data set that `barlow-data pack` wrote")->required();
  cli::add_number(command, "--index", index, "number of the image, from 0", {0, INT64_MAX})->required();
  command.add_option("--output", output, "the file; an existing one is replaced")->required();
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return *exit_code;
  collectively(session, [&] {
    if (!session.is_root()) return;
    data::require_result_file("--output", output);
    const data::Dataset set = data::Dataset::open(path);
    std::vector<std::uint8_t> bytes;
    set.read(index, bytes);
    std::ofstream file(output, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) throw StorageError("cannot write \"" + output + "\": " + std::strerror(errno));
    const data::SampleInfo& info = set.info(index);
    constexpr const char* kNames[] = {"raw 8-bit pixels [height, width, channels]", "JPEG", "PNG"};
    fmt::print("{}: {}x{}, {} channels, {}, label {}\n", set.describe(index), info.width, info.height, info.channels,
               kNames[static_cast<std::size_t>(info.encoding)],
               info.label < 0 ? "none" : set.class_names()[static_cast<std::size_t>(info.label)]);
  });
  return kExitFinished;
}

}  // namespace barlow::data_tools
