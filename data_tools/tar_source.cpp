// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

#include "barlow/base/error.hpp"
#include "barlow/base/number.hpp"
#include "source.hpp"

namespace barlow::data_tools {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kBlock = 512;
constexpr std::int64_t kMaxNameBytes = 1 << 16;
constexpr std::int32_t kMaxClasses = 100'000;
constexpr const char* kSparse = "it holds a file without its holes (tar --sparse); make it again without that option";

/// A regular file inside an archive: where its bytes lie in the outermost file.
struct Member {
  std::string name;
  std::int64_t offset = 0, size = 0;
};

/// Reads the headers of a tar archive (ustar, GNU and pax long names) that fills [begin, end) of a file; the members'
/// bytes are passed over, so that listing an archive of any size is quick and nothing is unpacked.
class TarReader {
 public:
  /// Links are counted in `links`: they have no bytes of their own.
  TarReader(const SourceFile& file, std::string name, std::int64_t begin, std::int64_t end, LeftOut& links)
      : file_(file), name_(std::move(name)), position_(begin), end_(end), links_(links) {}

  /// The next regular file; none at the end. @throws DataError on a damaged or truncated archive.
  std::optional<Member> next() {
    std::string long_name;
    std::int64_t long_size = -1;
    for (;;) {
      if (position_ == end_) return std::nullopt;  // some writers leave out the two empty blocks
      require(end_ - position_ >= kBlock, "it ends inside a header (truncated?)");
      file_.read(position_, kBlock, header_);
      position_ += kBlock;
      if (std::all_of(header_.begin(), header_.end(), [](std::uint8_t b) { return b == 0; })) return std::nullopt;
      require(checksum_matches(), "not a tar archive, compressed, or damaged (header checksum)");
      std::int64_t size = number(124, 12);
      const char type = static_cast<char>(header_[156]);
      require(type != 'S', kSparse);
      const bool is_file = type == '0' || type == '\0' || type == '7';
      if (is_file && long_size >= 0) size = long_size;
      require(size >= 0 && size <= end_ - position_, "member \"" + header_name() + "\" ends beyond it (truncated?)");
      const std::int64_t offset = position_;
      position_ += std::min(end_ - offset, (size + kBlock - 1) / kBlock * kBlock);
      if (type == 'L') {
        long_name = text(offset, size);
        long_name = long_name.substr(0, long_name.find('\0'));
      } else if (type == 'x') {
        read_pax(text(offset, size), long_name, long_size);
      } else if (is_file) {
        return Member{long_name.empty() ? header_name() : long_name, offset, size};
      } else if (type != 'g' && type != 'K') {
        if (type == '1' || type == '2') links_.add(name_ + "/" + (long_name.empty() ? header_name() : long_name));
        long_name.clear();
        long_size = -1;
      }
    }
  }

 private:
  void require(bool condition, const std::string& what) const {
    if (!condition) throw DataError("archive \"" + name_ + "\": " + what);
  }

  std::string field(std::size_t begin, std::size_t size) const {
    const std::string value(header_.begin() + static_cast<std::ptrdiff_t>(begin),
                            header_.begin() + static_cast<std::ptrdiff_t>(begin + size));
    return value.substr(0, value.find('\0'));
  }

  std::string header_name() const {
    const std::string prefix = field(257, 5) == "ustar" && header_[263] == '0' ? field(345, 155) : "";
    return prefix.empty() ? field(0, 100) : prefix + "/" + field(0, 100);
  }

  /// Octal digits, or GNU's base-256 for files of 8 GiB and more.
  std::int64_t number(std::size_t begin, std::size_t size) const {
    if ((header_[begin] & 0x80) != 0) {
      std::uint64_t value = header_[begin] & 0x7f;
      for (std::size_t i = 1; i < size; ++i) {
        require(value >> 55 == 0, "a size is out of range");
        value = value << 8 | header_[begin + i];
      }
      return static_cast<std::int64_t>(value);
    }
    std::int64_t value = 0;
    for (const char c : field(begin, size)) {
      if (c == ' ') continue;
      require(c >= '0' && c <= '7', "a header holds no octal number");
      value = value * 8 + (c - '0');
    }
    return value;
  }

  bool checksum_matches() const {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : header_[i];
    const std::string stated = field(148, 8);
    if (stated.find_first_not_of("01234567 ") != std::string::npos) return false;
    return number(148, 8) == sum;
  }

  std::string text(std::int64_t offset, std::int64_t size) const {
    require(size <= kMaxNameBytes, "a name of " + std::to_string(size) + " bytes");
    std::vector<std::uint8_t> bytes;
    file_.read(offset, size, bytes);
    return {bytes.begin(), bytes.end()};
  }

  /// Records of the form "LENGTH KEY=VALUE\n".
  void read_pax(std::string_view records, std::string& name, std::int64_t& size) const {
    while (!records.empty()) {
      std::size_t length = 0;
      const auto [after, error] = std::from_chars(records.data(), records.data() + records.size(), length);
      const auto digits = static_cast<std::size_t>(after - records.data());
      require(error == std::errc() && length > digits + 1 && length <= records.size(), "a pax header is damaged");
      const std::string_view record = records.substr(digits + 1, length - digits - 2);
      require(!record.starts_with("GNU.sparse."), kSparse);
      if (record.starts_with("path=")) name = record.substr(5);
      if (record.starts_with("size=")) {
        const std::string_view value = record.substr(5);
        require(std::from_chars(value.data(), value.data() + value.size(), size).ec == std::errc() && size >= 0,
                "a pax size is damaged");
      }
      records.remove_prefix(length);
    }
  }

  const SourceFile& file_;
  std::string name_;
  std::int64_t position_, end_;
  LeftOut& links_;
  std::vector<std::uint8_t> header_;
};

LeftOut links_in_archives() { return LeftOut("links within their archive"); }

std::vector<Member> list_members(const SourceFile& file, const std::string& name, std::int64_t begin, std::int64_t end,
                                 LeftOut& links) {
  std::vector<Member> members;
  TarReader reader(file, name, begin, end, links);
  while (auto member = reader.next()) members.push_back(std::move(*member));
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.name < b.name; });
  return members;
}

void add_item(Source& source, std::int32_t label, std::string name, const Member& member) {
  Item item;
  item.file = static_cast<std::int32_t>(source.files.size()) - 1;
  item.label = label;
  item.offset = member.offset;
  item.size = member.size;
  item.name = std::move(name);
  source.items.push_back(std::move(item));
}

bool is_number(std::string_view label) {
  return !label.empty() && label.find_first_not_of("0123456789") == std::string_view::npos;
}

/// A label a line, all words or all numbers. Each other line would be a class of its own, and nobody would notice.
void require_labels(const fs::path& path, const std::vector<std::string>& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const auto refuse = [&](const std::string& what) {
      throw DataError("\"" + path.string() + "\", line " + std::to_string(i + 1) + ": " + what);
    };
    const std::string quoted = "\"" + lines[i] + "\"";
    if (line.empty()) refuse("no label; every image has one");
    if (line.find_first_of(" \t,") != std::string_view::npos)
      refuse(quoted + " is more than a label; give the label alone, one line per image in the order of the file names");
    if (line.front() == '-' && is_number(line.substr(1))) refuse(quoted + ": numbers count from 0 or from 1");
    if (is_number(line) != is_number(lines.front()))
      refuse(quoted + " is " +
             (is_number(line) ? "a number, the first line a word" : "a word, the first line a number") +
             "; give all labels alike");
  }
}

/// `n01440764` or another word; or a number, from 0 or from 1, of the sorted class list.
std::vector<std::int32_t> number_labels(const fs::path& path, const std::vector<std::string>& lines,
                                        std::vector<std::string>& class_names) {
  require_labels(path, lines);
  std::vector<std::int32_t> labels;
  if (is_number(lines.front())) {
    for (const std::string& line : lines) {
      // Each number up to the highest is a class: one line must not decide about memory.
      const auto label = parse_number<std::int32_t>(line);
      if (!label || *label > kMaxClasses)
        throw DataError("\"" + path.string() + "\": label " + line + "; at most " + std::to_string(kMaxClasses) +
                        " classes can be numbered, use words");
      labels.push_back(*label);
    }
    const auto [low, high] = std::minmax_element(labels.begin(), labels.end());
    const std::int32_t base = *low == 0 ? 0 : 1;
    for (std::int32_t c = 0; c <= *high - base; ++c) class_names.push_back(std::to_string(c));
    for (std::int32_t& label : labels) label -= base;
    return labels;
  }
  const std::set<std::string> names(lines.begin(), lines.end());
  class_names.assign(names.begin(), names.end());
  for (const std::string& line : lines)
    labels.push_back(static_cast<std::int32_t>(std::distance(names.begin(), names.find(line))));
  return labels;
}

}  // namespace

Source open_imagenet_train(const SourceOptions& options, std::vector<std::string>& warnings) {
  Source source;
  LeftOut links = links_in_archives();
  struct ClassArchive {
    std::string name;
    std::int32_t file;
    Member member;
  };
  std::vector<ClassArchive> archives;
  for (const fs::path& path : options.paths) {
    source.files.emplace_back(path, true);
    const SourceFile& file = source.files.back();
    for (Member& member : list_members(file, path.string(), 0, file.size_bytes(), links)) {
      const fs::path name = fs::path(member.name).filename();
      if (name.extension() != ".tar") {
        throw DataError("archive \"" + path.string() + "\": member \"" + member.name +
                        "\" is not a class archive (*.tar); for an archive of images use --format imagenet-val");
      }
      archives.push_back({name.stem().string(), static_cast<std::int32_t>(source.files.size()) - 1, member});
    }
  }
  std::sort(archives.begin(), archives.end(),
            [](const ClassArchive& a, const ClassArchive& b) { return a.name < b.name; });
  for (const ClassArchive& archive : archives) {
    const SourceFile& file = source.files[static_cast<std::size_t>(archive.file)];
    const auto members = list_members(file, file.path() + "/" + archive.member.name, archive.member.offset,
                                      archive.member.offset + archive.member.size, links);
    if (members.empty()) {
      const std::string what = "class archive \"" + archive.member.name + "\" is empty";
      if (!options.skip_empty_classes) throw DataError(what + "; leave it out with --on-error skip");
      warnings.push_back(what + ": left out");
      continue;
    }
    if (source.class_names.empty() || source.class_names.back() != archive.name)
      source.class_names.push_back(archive.name);
    for (const Member& member : members) {
      add_item(source, static_cast<std::int32_t>(source.class_names.size()) - 1, archive.name + "/" + member.name,
               member);
      source.items.back().file = archive.file;
    }
  }
  links.report(warnings);
  return source;
}

Source open_imagenet_validation(const SourceOptions& options, std::vector<std::string>& warnings) {
  if (options.paths.size() != 1) throw ConfigError("format imagenet-val takes one SOURCE, an archive");
  const fs::path& path = options.paths.front();
  Source source;
  source.files.emplace_back(path, true);
  LeftOut links = links_in_archives();
  const auto members = list_members(source.files.back(), path.string(), 0, source.files.back().size_bytes(), links);
  links.report(warnings);
  std::vector<std::int32_t> labels(members.size(), -1);
  if (!options.labels.empty()) {
    const auto lines = read_lines(options.labels);
    if (lines.size() != members.size() || lines.empty()) {
      throw DataError("\"" + options.labels.string() + "\" has " + std::to_string(lines.size()) + " labels, \"" +
                      path.string() + "\" has " + std::to_string(members.size()) +
                      " images; the list has one line per image, in the order of the file names");
    }
    labels = number_labels(options.labels, lines, source.class_names);
  }
  for (std::size_t i = 0; i < members.size(); ++i) add_item(source, labels[i], members[i].name, members[i]);
  return source;
}

}  // namespace barlow::data_tools
