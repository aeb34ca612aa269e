// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/data/fingerprint.hpp"
#include "barlow/data/image_decoder.hpp"
#include "commands.hpp"
#include "progress.hpp"
#include "set_writer.hpp"

namespace barlow::data_tools {
namespace {

struct Findings {
  std::vector<data::Digest> digests;
  std::string bad;  ///< a line per bad sample, or more: a name may hold a line's end
  std::int64_t num_bad = 0;
};

Findings verify_share(const data::Dataset& set, const MpiSession& session) {
  const std::int64_t begin = set.size() * session.rank() / session.world_size();
  const std::int64_t end = set.size() * (session.rank() + 1) / session.world_size();
  Findings findings;
  data::ImageDecoder decoder;
  data::Image image;
  std::vector<std::uint8_t> bytes;
  Progress progress("verifying", end - begin);
  for (std::int64_t i = begin; i < end; ++i) {
    const data::SampleInfo& info = set.info(i);
    try {
      decoder.read(set, i, bytes, image);
      if (image.width != info.width || image.height != info.height)
        throw DataError(fmt::format("{}: decodes to {}x{}, described as {}x{}", set.describe(i), image.width,
                                    image.height, info.width, info.height));
    } catch (const DataError& error) {
      findings.bad += std::string(error.what()) + "\n";
      ++findings.num_bad;
    }
    findings.digests.push_back(data::sample_digest(info, bytes));
    progress.advance(info.size_bytes);
  }
  return findings;
}

void print_counts(const data::Dataset& set) {
  std::vector<std::int64_t> counts(set.class_names().size() + 1);
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::int32_t label = set.info(i).label;
    ++counts[label < 0 ? counts.size() - 1 : static_cast<std::size_t>(label)];
  }
  for (std::size_t c = 0; c < set.class_names().size(); ++c) fmt::print("{:>9}  {}\n", counts[c], set.class_names()[c]);
  if (counts.back() != 0) fmt::print("{:>9}  (no label)\n", counts.back());
}

}  // namespace

int verify_command(int argc, char** argv, MpiSession& session) {
  CLI::App command(
      "Reads every byte of a data set's images, checks the checksums and the fingerprint (images, labels and class "
      "names, not source names), decodes every image and counts the classes. Exit code 2 if anything is wrong.",
      "barlow-data verify");
  std::string path;
  command.add_option("DATASET", path, "a data set that `barlow-data pack` wrote")->required();
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return *exit_code;
  const data::Dataset set = collectively(session, [&] { return data::Dataset::open(path); });
  require_same(session, {{"the fingerprint of DATASET", set.fingerprint()}});
  const Findings mine = collectively(session, [&] { return verify_share(set, session); });
  const std::string fingerprint = joint_fingerprint(mine.digests, set.class_names(), session);
  std::string bad;
  for (const std::string& lines : session.gather(mine.bad)) bad += lines;
  const auto num_bad = static_cast<std::int64_t>(session.sum(static_cast<double>(mine.num_bad)));
  const bool is_same = fingerprint == set.fingerprint();
  if (session.is_root()) {
    print_counts(set);
    fmt::print("{} images, {} bad; fingerprint {}\n", set.size(), num_bad,
               is_same ? set.fingerprint() : "differs: the set has changed since packing");
    if (num_bad != 0) log::error("bad images:\n" + bad);
  }
  if (num_bad == 0 && is_same) return kExitFinished;
  throw AgreedError("\"" + path + "\" is damaged; pack it again", kExitRefused);
}

}  // namespace barlow::data_tools
