// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "barlow/base/checksum.hpp"
#include "barlow/base/clock.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/cli/flags.hpp"
#include "barlow/cli/program.hpp"
#include "barlow/data/image_decoder.hpp"
#include "barlow/data/jpeg_encoder.hpp"
#include "commands.hpp"
#include "resize.hpp"
#include "set_writer.hpp"
#include "source.hpp"

namespace barlow::data_tools {
namespace {

struct PackOptions {
  SourceOptions source;
  SetOptions set;
  int resize_shorter = 0, quality = 0;
  std::string on_error = "stop";
};

std::optional<int> parse_options(int argc, char** argv, const MpiSession& session, PackOptions& options) {
  CLI::App command("Packs images into a data set that `barlow` reads. Under mpirun the ranks share the work.",
                   "barlow-data pack");
  command
      .add_option("SOURCE", options.source.paths,
                  "a folder of class folders of JPEG and PNG files, ImageNet's archives, IDX or CIFAR files")
      ->required();
  command.add_option("--output", options.set.output, "the data set: a file, or a folder if it has several shards")
      ->required();
  command.add_option("--format", options.source.format, "what SOURCE is")
      ->check(CLI::IsMember({"auto", "folder", "imagenet-train", "imagenet-val", "idx", "cifar10", "cifar100"}))
      ->capture_default_str();
  command.add_option("--labels", options.source.labels,
                     "imagenet-val: text file, one label per image in the order of the file names (class words, or "
                     "numbers from 0 or 1); idx: the file of labels, if its name does not tell");
  cli::add_number(command, "--shards", options.set.num_shards, "number of files (default: the number of ranks)",
                  {1, 100000});
  cli::add_number(command, "--resize-shorter", options.resize_shorter,
                  "shrink larger images to this shorter side, in pixels, and store them as JPEG (default: store "
                  "files as they are)",
                  {8, 16384});
  cli::add_number(command, "--quality", options.quality, "JPEG quality of --resize-shorter (default: 90)", {1, 100});
  command.add_option("--on-error", options.on_error, "an unreadable image or empty class: stop, or name and skip it")
      ->check(CLI::IsMember({"stop", "skip"}))
      ->capture_default_str();
  command.add_flag("--overwrite", options.set.overwrite, "replace an existing data set, once the new one is complete");
  if (const auto exit_code = cli::parse(command, argc, argv, session)) return exit_code;
  require_same(session, cli::shared_flags(command, {"SOURCE", "--labels"}));  // compared by what they hold
  if (options.quality != 0 && options.resize_shorter == 0)
    throw AgreedError("--quality needs --resize-shorter: without it files are stored as they are", kExitRefused);
  if (options.quality == 0) options.quality = 90;
  options.source.skip_empty_classes = options.on_error == "skip";
  return std::nullopt;
}

/// What every rank must find in the source, wherever it lies there: names and labels in one order.
Fact listing_of(const Source& source) {
  std::uint32_t checksum = 0;
  for (const std::string& name : source.class_names) checksum = crc32_of(name.data(), name.size(), checksum);
  for (const Item& item : source.items) {
    checksum = crc32_of(item.name.data(), item.name.size(), checksum);
    checksum = crc32_of(&item.label, sizeof item.label, checksum);
  }
  return {"what SOURCE holds", fmt::format("{} images in {} classes (names and labels {:08x})", source.items.size(),
                                           source.class_names.size(), checksum)};
}

/// Reads, checks and perhaps shrinks the images of one source.
class Packer {
 public:
  Packer(const Source& source, const PackOptions& options) : source_(source), options_(options) {}

  std::optional<Sample> make(std::int64_t index) {
    const Item& item = source_.items[static_cast<std::size_t>(index)];
    try {
      Sample sample;
      sample.name = item.name;
      source_.read(index, sample.bytes);
      sample.info = source_.is_raw() ? data::SampleInfo{data::Encoding::kRaw,
                                                        source_.raw_width,
                                                        source_.raw_height,
                                                        source_.raw_channels,
                                                        -1,
                                                        static_cast<std::int64_t>(sample.bytes.size())}
                                     : data::identify_image(sample.bytes);
      // Decoding all of it is the only way to know that it can be decoded later.
      if (!source_.is_raw() || options_.resize_shorter > 0) decoder_.decode(sample.bytes, sample.info, image_);
      if (options_.resize_shorter > 0 && std::min(image_.width, image_.height) > options_.resize_shorter)
        shrink(sample);
      sample.info.label = item.label;
      return sample;
    } catch (const DataError& error) {
      if (options_.on_error == "stop")
        throw DataError("cannot read image \"" + item.name + "\": " + error.what() +
                        "; repair or remove it, or go on without it: --on-error skip");
      skipped_.push_back("left out \"" + item.name + "\": " + error.what());
      return std::nullopt;
    }
  }

  const std::vector<std::string>& skipped() const { return skipped_; }

 private:
  void shrink(Sample& sample);

  const Source& source_;
  const PackOptions& options_;
  data::ImageDecoder decoder_;
  data::Image image_;
  std::vector<std::string> skipped_;
};

void Packer::shrink(Sample& sample) {
  const data::Image small = shrink_shorter_side(image_, options_.resize_shorter);
  sample.bytes = data::encode_jpeg(small, options_.quality);
  sample.info = {
      data::Encoding::kJpeg, small.width, small.height, 3, -1, static_cast<std::int64_t>(sample.bytes.size())};
}

void report_skipped(const std::vector<std::string>& mine, const MpiSession& session) {
  std::string text;
  for (const std::string& message : mine) text += message + '\0';  // a name may hold a line's end
  for (const std::string& messages : session.gather(text)) {
    for (std::size_t begin = 0; begin < messages.size();) {
      const std::size_t end = messages.find('\0', begin);
      log::warning(messages.substr(begin, end - begin));
      begin = end + 1;
    }
  }
}

}  // namespace

int pack_command(int argc, char** argv, MpiSession& session) {
  PackOptions options;
  if (const auto exit_code = parse_options(argc, argv, session, options)) return *exit_code;
  std::vector<std::string> warnings;
  const Source source = collectively(session, [&] { return open_source(options.source, warnings); });
  require_same(session, {listing_of(source)});
  for (const std::string& warning : warnings) log::warning(warning);
  log::info(fmt::format("{} images in {} classes to pack", source.items.size(), source.class_names.size()));
  options.set.class_names = source.class_names;
  Packer packer(source, options);
  const Stopwatch stopwatch;
  const SetSummary summary = write_set(
      options.set, static_cast<std::int64_t>(source.items.size()), [&](std::int64_t i) { return packer.make(i); },
      session);
  report_skipped(packer.skipped(), session);
  if (summary.num_samples == 0)
    throw AgreedError("no image of the source could be read; nothing is written", kExitRefused);
  if (session.is_root()) {
    fmt::print("packed {} images ({:.1f} MB, {} classes) into \"{}\" ({} shard{}) in {:.1f} s; left out {}\n",
               summary.num_samples, static_cast<double>(summary.num_bytes) * 1e-6, source.class_names.size(),
               options.set.output.string(), summary.num_shards, summary.num_shards == 1 ? "" : "s",
               stopwatch.elapsed_s(), summary.num_left_out);
    fmt::print("fingerprint {}\n", summary.fingerprint);
  }
  return kExitFinished;
}

}  // namespace barlow::data_tools
