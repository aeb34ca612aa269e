// SPDX-License-Identifier: Apache-2.0
#include "set_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <regex>
#include <system_error>

#include "barlow/base/clock.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/files.hpp"
#include "barlow/comm/agreement.hpp"
#include "barlow/data/shard_writer.hpp"
#include "output_lock.hpp"
#include "progress.hpp"

namespace barlow::data_tools {
namespace fs = std::filesystem;
namespace {

/// Where everything is written until it is complete.
fs::path temporary_path(const fs::path& output) { return output.string() + ".partial"; }

/// Where a set that is to be replaced waits until the new one has its place, unless both are single files.
fs::path old_path(const fs::path& output) { return output.string() + ".old"; }

/// The same place without a slash at its end, links or dots: a name can be put beside it. @throws DataError if not.
fs::path place_of(const fs::path& output) {
  std::error_code code;
  fs::path place = fs::absolute(output, code);
  if (!code) place = fs::weakly_canonical(place, code);
  if (code) throw DataError("--output \"" + output.string() + "\": " + code.message());
  if (!place.has_filename()) place = place.parent_path();
  const fs::path folder = place.parent_path();
  if (!fs::is_directory(folder, code)) throw DataError("\"" + folder.string() + "\": no such folder for the output");
  return place;
}

std::string shard_name(std::int64_t index, std::int64_t count) {
  return fmt::format("shard-{:05}-of-{:05}.h5", index, count);
}

/// Removes the temporary if the set is not finished; root alone does the work.
class Cleanup {
 public:
  Cleanup(fs::path path, bool is_root) : path_(std::move(path)), armed_(is_root) {}
  ~Cleanup() {
    std::error_code ignored;
    if (armed_) fs::remove_all(path_, ignored);
  }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  void disarm() { armed_ = false; }

 private:
  fs::path path_;
  bool armed_;
};

/// Only what this program wrote may be replaced: --overwrite on a home folder must not delete it.
void require_replaceable(const fs::path& output, bool becomes_folder) {
  const std::regex shard("shard-[0-9]{5,}-of-[0-9]{5,}\\.h5");
  const bool is_folder = fs::is_directory(output);
  if (is_folder) {
    std::error_code code;
    const fs::directory_iterator entries(output, code);
    if (code) throw DataError("\"" + output.string() + "\": " + code.message());
    for (const auto& entry : entries) {
      const std::string name = entry.path().filename().string();
      if (!std::regex_match(name, shard))
        throw DataError("\"" + output.string() + "\" holds \"" + name +
                        "\", which is no shard; --overwrite replaces only data sets");
    }
  } else if (!data::is_shard(output)) {
    throw DataError("\"" + output.string() + "\" is no shard; --overwrite replaces only data sets");
  }
  if ((is_folder || becomes_folder) && fs::exists(old_path(output)))
    throw DataError("\"" + old_path(output).string() + "\" is in the way of --overwrite; remove or rename it");
}

void prepare(const SetOptions& options, std::int64_t num_shards) {
  const fs::path& output = options.output;
  if (fs::exists(output)) {
    if (!options.overwrite)
      throw DataError("\"" + output.string() + "\" exists; choose another --output or add --overwrite");
    require_replaceable(output, num_shards > 1);
  }
  std::error_code code;
  fs::remove_all(temporary_path(output), code);  // of an interrupted packing
  if (!code && num_shards > 1) fs::create_directory(temporary_path(output), code);
  if (code) throw DataError("cannot write \"" + temporary_path(output).string() + "\": " + code.message());
}

void publish(const fs::path& output) {
  const fs::path temporary = temporary_path(output), old = old_path(output);
  std::error_code code;
  const bool is_folder = fs::is_directory(temporary);
  if (is_folder) flush_folder(temporary);
  const bool moves_away = fs::exists(output) && (is_folder || fs::is_directory(output));
  if (moves_away) fs::rename(output, old, code);
  if (!code) fs::rename(temporary, output, code);
  if (code)
    throw StorageError("cannot rename the finished set \"" + temporary.string() + "\" to \"" + output.string() +
                       "\": " + code.message() + "; rename it by hand");
  if (moves_away) fs::remove_all(old, code);
  flush_folder(output.parent_path());
}

/// Says to the other ranks that one has failed, by a file where all write: within collectively() nobody communicates,
/// and a rank's share may take hours. Of no use where the file cannot be made; then they end with their shares.
class FailureMark {
 public:
  explicit FailureMark(fs::path path) : path_(std::move(path)) {}
  void set() const { std::ofstream{path_}; }
  /// Looks once a second.
  bool is_set() {
    if (since_look_.elapsed_s() < 1) return false;
    since_look_.restart();
    std::error_code ignored;
    return fs::exists(path_, ignored);
  }

 private:
  fs::path path_;
  Stopwatch since_look_;
};

struct Share {
  std::vector<std::unique_ptr<data::ShardWriter>> writers;
  std::int64_t first_shard = 0, num_left_out = 0;
};

/// This rank's shards, without their metadata; cut short if another rank has failed.
Share write_share(const SetOptions& options, std::int64_t num_shards, std::int64_t count, const MakeSample& make,
                  const MpiSession& session) {
  const auto begin_of = [](std::int64_t part, std::int64_t parts, std::int64_t total) { return total * part / parts; };
  Share share;
  share.first_shard = begin_of(session.rank(), session.world_size(), num_shards);
  const std::int64_t last_shard = begin_of(session.rank() + 1, session.world_size(), num_shards);
  const std::int64_t begin = begin_of(share.first_shard, num_shards, count),
                     end = begin_of(last_shard, num_shards, count);
  Progress progress(session.world_size() > 1 ? "rank 0's share" : "writing", end - begin);
  const fs::path temporary = temporary_path(options.output);
  FailureMark failure(temporary / "failed");
  try {
    for (std::int64_t s = share.first_shard; s < last_shard; ++s) {
      share.writers.push_back(
          std::make_unique<data::ShardWriter>(num_shards > 1 ? temporary / shard_name(s, num_shards) : temporary));
      for (std::int64_t i = begin_of(s, num_shards, count); i < begin_of(s + 1, num_shards, count); ++i) {
        if (failure.is_set()) return share;
        const auto sample = make(i);
        if (sample) share.writers.back()->append(sample->info, sample->name, sample->bytes);
        if (!sample) ++share.num_left_out;
        progress.advance(sample ? static_cast<std::int64_t>(sample->bytes.size()) : 0);
      }
      share.writers.back()->end_samples();
    }
  } catch (...) {
    failure.set();
    throw;
  }
  return share;
}

}  // namespace

std::string joint_fingerprint(const std::vector<data::Digest>& mine, const std::vector<std::string>& class_names,
                              const MpiSession& session) {
  return data::set_fingerprint(session.gather_values(std::span(mine)), class_names);
}

SetSummary write_set(const SetOptions& given, std::int64_t count, const MakeSample& make, const MpiSession& session) {
  SetSummary summary;
  SetOptions options = given;
  options.output = collectively(session, [&] { return place_of(given.output); });
  summary.num_shards = std::min(options.num_shards > 0 ? options.num_shards : session.world_size(), count);
  const auto lock = collectively(session, [&] {
    auto mine = session.is_root() ? std::make_unique<OutputLock>(options.output) : nullptr;
    if (mine) prepare(options, summary.num_shards);
    return mine;
  });
  Cleanup cleanup(temporary_path(options.output), session.is_root());
  Share share = collectively(session, [&] { return write_share(options, summary.num_shards, count, make, session); });
  std::int64_t samples = 0, bytes = 0;
  std::vector<data::Digest> digests;
  for (const auto& writer : share.writers) {
    samples += writer->size(), bytes += writer->size_bytes();
    digests.insert(digests.end(), writer->digests().begin(), writer->digests().end());
  }
  summary.num_samples = static_cast<std::int64_t>(session.sum(static_cast<double>(samples)));
  summary.num_bytes = static_cast<std::int64_t>(session.sum(static_cast<double>(bytes)));
  summary.num_left_out = static_cast<std::int64_t>(session.sum(static_cast<double>(share.num_left_out)));
  if (summary.num_samples == 0) return summary;
  summary.fingerprint = joint_fingerprint(digests, options.class_names, session);
  collectively(session, [&] {
    for (std::size_t s = 0; s < share.writers.size(); ++s) {
      share.writers[s]->finish({options.class_names, summary.fingerprint, summary.num_samples,
                                share.first_shard + static_cast<std::int64_t>(s), summary.num_shards});
    }
  });
  cleanup.disarm();  // the set is complete, wherever it is
  collectively(session, [&] {
    if (session.is_root()) publish(options.output);
  });
  return summary;
}

}  // namespace barlow::data_tools
