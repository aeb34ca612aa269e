// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "barlow/comm/mpi_session.hpp"
#include "barlow/data/dataset.hpp"
#include "barlow/data/fingerprint.hpp"

namespace barlow::data_tools {

/// One sample ready to be stored.
struct Sample {
  data::SampleInfo info{};
  std::string name;
  std::vector<std::uint8_t> bytes;
};

struct SetOptions {
  std::filesystem::path output;
  std::int64_t num_shards = 0;  ///< 0: one per rank
  bool overwrite = false;
  std::vector<std::string> class_names;
};

struct SetSummary {
  std::int64_t num_samples = 0, num_left_out = 0, num_bytes = 0, num_shards = 0;
  std::string fingerprint;
};

/// Makes sample `index` of the source; none if it is left out.
using MakeSample = std::function<std::optional<Sample>(std::int64_t index)>;

/// Writes samples 0..count-1 into a new set: one file for one shard, else a folder. The ranks take whole shards; all
/// is written beside the output under a temporary name, and renamed when every shard is complete and on the disk.
/// Nothing is there if every sample was left out.
///
/// Collective. @throws AgreedError, on every rank alike; the temporary is removed, unless only its renaming failed.
SetSummary write_set(const SetOptions& options, std::int64_t count, const MakeSample& make, const MpiSession& session);

/// The fingerprint of the samples of all ranks, rank after rank. Collective.
std::string joint_fingerprint(const std::vector<data::Digest>& mine, const std::vector<std::string>& class_names,
                              const MpiSession& session);

}  // namespace barlow::data_tools
