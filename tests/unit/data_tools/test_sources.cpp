// SPDX-License-Identifier: Apache-2.0
// Small sources that ask for much memory; tests/system/data_tools reads the others.
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <string>

#include "barlow/base/error.hpp"
#include "source.hpp"
#include "support/catch.hpp"

namespace fs = std::filesystem;
using namespace barlow;
using namespace barlow::data_tools;

namespace {

Source open_validation(const SourceOptions& options) {
  std::vector<std::string> warnings;
  return open_imagenet_validation(options, warnings);
}

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("barlow-sources-" + std::to_string(getpid()));
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};

/// While it lives, root is somebody whom folders can be closed to.
struct Nobody {
  Nobody() { set(65534); }
  ~Nobody() { set(0); }
  static void set(uid_t user) {
    if (getuid() == 0) REQUIRE(seteuid(user) == 0);
  }
};

/// A folder that nobody may look into.
struct Closed {
  fs::path path;
  explicit Closed(fs::path folder) : path(std::move(folder)) { set(fs::perms::none); }
  ~Closed() { set(fs::perms::owner_all | fs::perms::group_all | fs::perms::others_all); }
  void set(fs::perms permissions) const {
    const uid_t user = geteuid();
    if (getuid() == 0) seteuid(0);
    fs::permissions(path, permissions);
    if (getuid() == 0) seteuid(user);
  }
};

/// A member of an archive: an empty file, a link (type 1), or of another type and size.
std::string header_of(const std::string& name, char type = '0', unsigned size = 0) {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  char octal[12];
  std::snprintf(octal, sizeof octal, "%011o", size);
  header.replace(124, 11, octal, 11);
  header[156] = type;
  unsigned sum = 8 * ' ';
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  header.replace(148, 6, text, 6);
  return header;
}

void write_archive(const fs::path& path, const std::string& headers) {
  std::ofstream(path, std::ios::binary) << headers << std::string(1024, '\0');
}

}  // namespace

TEST_CASE("A label's number does not decide about memory") {
  const TemporaryFolder folder;
  write_archive(folder.path / "val.tar", header_of("a.JPEG"));
  const SourceOptions options{.paths = {folder.path / "val.tar"}, .labels = folder.path / "labels.txt"};
  std::ofstream(options.labels) << "21842\n";
  CHECK(open_validation(options).class_names.size() == 21842);
  std::ofstream(options.labels) << "9999999\n";
  CHECK_THROWS_WITH(open_validation(options), contains("9999999"));
}

TEST_CASE("A list of labels holds a label a line and nothing else") {
  const TemporaryFolder folder;
  write_archive(folder.path / "val.tar", header_of("a.JPEG") + header_of("b.JPEG") + header_of("c.JPEG"));
  const SourceOptions options{.paths = {folder.path / "val.tar"}, .labels = folder.path / "labels.txt"};
  const auto open = [&](const std::string& text) {
    std::ofstream(options.labels, std::ios::binary) << text;
    return open_validation(options);
  };
  const auto labels_of = [](const Source& source) {
    return std::vector<int>{source.items[0].label, source.items[1].label, source.items[2].label};
  };
  SECTION("however an editor leaves it") {
    for (const char* text : {"2\n1\n2\n", "2 \n1\t\n2",
                             "\xEF\xBB\xBF"
                             "2\r\n1\r\n2\r\n\r\n"}) {
      const Source source = open(text);
      CHECK(source.class_names == std::vector<std::string>{"0", "1"});
      CHECK(labels_of(source) == std::vector<int>{1, 0, 1});
    }
    const Source words = open(
        "\xEF\xBB\xBF"
        "tench\nant  \ntench\n");
    CHECK(words.class_names == std::vector<std::string>{"ant", "tench"});
    CHECK(labels_of(words) == std::vector<int>{1, 0, 1});
  }
  SECTION("and what is more or less is refused by its line") {
    CHECK_THROWS_WITH(open("a.JPEG 1\nb.JPEG 2\nc.JPEG 1\n"),
                      contains("line 1: \"a.JPEG 1\"") && contains("label alone"));
    CHECK_THROWS_WITH(open("n01\na.JPEG,n02\nn01\n"), contains("line 2") && contains("label alone"));
    CHECK_THROWS_WITH(open("1\n2\n-1\n"), contains("line 3: \"-1\"") && contains("from 0 or from 1"));
    CHECK_THROWS_WITH(open("1\nant\n2\n"), contains("line 2: \"ant\" is a word") && contains("alike"));
    CHECK_THROWS_WITH(open("ant\nbee\n12\n"), contains("line 3: \"12\" is a number"));
    CHECK_THROWS_WITH(open("ant\n\nbee\n"), contains("line 2: no label"));
    CHECK_THROWS_WITH(open("1\n123456789012\n1\n"), contains("123456789012"));
  }
}

TEST_CASE("A folder's images come in torchvision's order, and what is left out is told") {
  const TemporaryFolder folder;
  const auto touch = [&](const char* name) {
    fs::create_directories((folder.path / name).parent_path());
    std::ofstream(folder.path / name);
  };
  for (const char* name :
       {"a/sub/0.jpg", "a/sub-b/0.jpg", "a/sub/deep/0.png", "a/z.JPG", "a/B.jpeg", "b/1.jpg", "a/.thumbnails/1.jpg",
        "a/sub/.hidden/deep/1.jpg", ".cache/1.jpg", "b/.1.jpg", "loose.jpg", "a/x.webp", "b/y.bmp"})
    touch(name);
  std::vector<std::string> warnings, names;
  const Source source = open_folder({.paths = {folder.path}, .labels = {}}, warnings);
  for (const Item& item : source.items) names.push_back(item.name);
  // sorted(os.walk(class_folder)), then sorted(files)
  CHECK(names ==
        std::vector<std::string>{"a/B.jpeg", "a/z.JPG", "a/sub/0.jpg", "a/sub-b/0.jpg", "a/sub/deep/0.png", "b/1.jpg"});
  REQUIRE(warnings.size() == 2);
  CHECK_THAT(warnings[0], contains("left out 1 file (beside the class folders)") && contains("loose.jpg"));
  CHECK_THAT(warnings[1], contains("left out 2 files (not .jpg") && contains("a/x.webp"));
}

TEST_CASE("Links within an archive are told") {
  const TemporaryFolder folder;
  write_archive(folder.path / "val.tar", header_of("a.JPEG") + header_of("b.JPEG", '1') + header_of("c.JPEG", '2'));
  std::vector<std::string> warnings;
  CHECK(open_imagenet_validation({.paths = {folder.path / "val.tar"}, .labels = {}}, warnings).items.size() == 1);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], contains("left out 2 files (links") && contains("val.tar/b.JPEG"));
}

TEST_CASE("A pax header's size counts, where the member's own field is too short for it") {
  const TemporaryFolder folder;
  std::string records = "9 size=3\n", bytes = "abc";
  records.resize(512), bytes.resize(512);
  write_archive(folder.path / "val.tar",
                header_of("pax", 'x', 9) + records + header_of("a.JPEG") + bytes + header_of("b.JPEG"));
  const Source source = open_validation({.paths = {folder.path / "val.tar"}, .labels = {}});
  REQUIRE(source.items.size() == 2);
  CHECK(source.items[0].size == 3);
}

TEST_CASE("Files without their holes are refused") {
  const TemporaryFolder folder;
  const fs::path archive = folder.path / "val.tar";
  const auto refuses = [&] {
    CHECK_THROWS_WITH(open_validation({.paths = {archive}, .labels = {}}), contains("val.tar") && contains("--sparse"));
  };
  write_archive(archive, header_of("a.JPEG") + header_of("b.JPEG", 'S'));  // GNU's
  refuses();
  std::string records = "22 GNU.sparse.major=1\n";  // pax's
  records.resize(512);
  write_archive(archive, header_of("pax", 'x', 22) + records + header_of("b.JPEG"));
  refuses();
}

TEST_CASE("What the system refuses of a source is named, in our words") {
  const TemporaryFolder folder;
  const fs::path source = folder.path / "source", inner = source / "a" / "inner";
  fs::create_directories(inner);
  std::ofstream(source / "a" / "1.jpg");
  const auto message_of = [](const fs::path& path) -> std::string {
    std::vector<std::string> warnings;
    try {
      open_source({.paths = {path}, .labels = {}}, warnings);
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  const auto quoted = [](const fs::path& path) { return "\"" + path.string() + "\": "; };
  REQUIRE(message_of(source).empty());
  SECTION("links to folders that they lie in") {
    for (const char* name : {"one", "two", "three"}) fs::create_directory_symlink("..", inner / name);
    CHECK_THAT(message_of(source), contains("/inner/") && contains("a link to a folder that it lies in"));
  }
  SECTION("a link to itself") {
    fs::create_symlink("self", source / "a" / "self");
    CHECK_THAT(message_of(source), contains(quoted(source / "a" / "self")));
  }
  SECTION("a name too long") {
    const fs::path path = folder.path / std::string(300, 'n');
    CHECK(message_of(path) == quoted(path) + "File name too long");
  }
  SECTION("names that are not UTF-8") {
    for (const char* name : {"ü猫😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) fs::create_directory(source / name);
    for (const auto& entry : fs::directory_iterator(source)) std::ofstream(entry.path() / "1.png");
    REQUIRE(message_of(source).empty());
    for (const char* name : {"caf\xE9", "\xC3", "\xC0\xAE", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                             "\xF8\x88\x80\x80\x80", "\xFF", "a\x80"}) {
      const fs::path image = source / "a" / (std::string(name) + ".jpg");
      std::ofstream{image};
      CHECK_THAT(message_of(source), contains(std::string("\"a/") + name + ".jpg\" is not UTF-8; rename"));
      fs::remove(image);
      std::ofstream((fs::create_directory(source / name), source / name / "1.jpg"));
      CHECK_THAT(message_of(source), contains(std::string("\"") + name + "\" is not UTF-8; rename"));
      fs::remove_all(source / name);
    }
  }
  SECTION("closed folders") {
    const Nobody nobody;
    for (const fs::path& closed : {inner, source / "a", source}) {
      const Closed while_it_lasts(closed);
      CHECK(message_of(source) == quoted(closed) + "Permission denied");
    }
    const Closed while_it_lasts(folder.path);
    CHECK(message_of(source) == quoted(source) + "Permission denied");
  }
}

TEST_CASE("A pipe is no image, and nobody waits for it") {
  const TemporaryFolder folder;
  fs::create_directories(folder.path / "a");
  REQUIRE(mkfifo((folder.path / "a" / "1.jpg").c_str(), 0600) == 0);
  std::vector<std::string> warnings;
  const Source source = open_source({.paths = {folder.path}, .labels = {}}, warnings);
  std::vector<std::uint8_t> bytes;
  CHECK_THROWS_WITH(source.read(0, bytes), contains("1.jpg") && contains("not a regular file"));
}

TEST_CASE("A few kilobytes of IDX do not become gigabytes of names") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "images-idx3-ubyte.gz";
  constexpr std::int64_t kImages = (std::int64_t{1} << 25) + 1;  // of one pixel
  const gzFile file = gzopen(path.c_str(), "wb1");
  const unsigned char header[] = {0, 0, 8, 3, 2, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
  REQUIRE(gzwrite(file, header, sizeof header) == sizeof header);
  const std::vector<unsigned char> zeros(1 << 20);
  for (std::int64_t left = kImages; left > 0; left -= 1 << 20)
    gzwrite(file, zeros.data(), static_cast<unsigned>(std::min<std::int64_t>(left, 1 << 20)));
  REQUIRE(gzclose(file) == Z_OK);
  CHECK_THROWS_WITH(open_idx({.paths = {path}, .format = "idx", .labels = {}}), contains("too many"));
}
