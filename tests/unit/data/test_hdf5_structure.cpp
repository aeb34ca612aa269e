// SPDX-License-Identifier: Apache-2.0
// Each of these changes to a shard's structure made HDF5 1.10.8 read beyond its memory, follow a circle, or show values
// that are not the set's; tests/fuzz found the first of them.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "barlow/base/error.hpp"
#include "barlow/data/dataset.hpp"
#include "barlow/data/hdf5_structure.hpp"
#include "barlow/data/shard_writer.hpp"
#include "support/catch.hpp"

namespace fs = std::filesystem;
using namespace barlow;
using namespace barlow::data;

namespace {

const fs::path kPath = fs::temp_directory_path() / ("barlow-structure-" + std::to_string(getpid()) + ".h5");

std::string content_of_a_shard() {
  ShardWriter writer(kPath);
  writer.append({Encoding::kRaw, 2, 1, 1, 0, 2}, "a", std::vector<std::uint8_t>{1, 2});
  writer.finish({{"cat"}, set_fingerprint(writer.digests(), {"cat"}), 1, 0, 1});
  std::ostringstream text;
  text << std::ifstream(kPath, std::ios::binary).rdbuf();
  return text.str();
}

void write(const std::string& content) { std::ofstream(kPath, std::ios::binary | std::ios::trunc) << content; }

void put(std::string& content, std::size_t at, std::uint64_t value, std::size_t count) {
  REQUIRE(at + count <= content.size());
  for (std::size_t i = 0; i < count; ++i) content[at + i] = static_cast<char>(value >> (8 * i));
}

std::size_t find(const std::string& content, const std::string& text) {
  const std::size_t at = content.find(text);
  REQUIRE(at != std::string::npos);
  return at;
}

struct Damage {
  const char* what;
  std::function<void(std::string&)> apply;
};

/// Where the attribute's message begins: its header is 8 bytes, and its name follows 8 bytes of lengths.
std::size_t attribute(const std::string& content) { return find(content, "format_version") - 16; }
/// The data of the names' heap begins where its header, 32 bytes, says.
std::size_t heap_values(const std::string& content) { return find(content, std::string("bytes\0\0\0offsets", 15)) - 8; }
/// The header of the object that the first leaf lists first: `bytes`.
std::size_t dataset_header(const std::string& content) {
  const std::size_t at = find(content, "SNOD") + 16;
  return static_cast<unsigned char>(content[at]) | static_cast<std::size_t>(static_cast<unsigned char>(content[at + 1]))
                                                       << 8;
}

const Damage kDamages[] = {
    {"another superblock", [](std::string& c) { c[8] = 2; }},
    {"a superblock that counts from elsewhere", [](std::string& c) { put(c, 24, 512, 8); }},
    {"a driver of its own", [](std::string& c) { put(c, 48, 96, 8); }},
    {"an end beyond the file", [](std::string& c) { put(c, 40, c.size() + 1, 8); }},
    {"an end before its last part", [](std::string& c) { put(c, 40, c.size() - 1, 8); }},
    {"nodes of no entries", [](std::string& c) { put(c, 18, 0, 2); }},
    {"an attribute's name that is longer than its message",
     [](std::string& c) { put(c, attribute(c) + 10, 0xff00, 2); }},
    {"an attribute's name without an end", [](std::string& c) { c.replace(find(c, "format_version") + 14, 2, "xx"); }},
    {"an attribute whose shape is longer than its place", [](std::string& c) { c[attribute(c) + 49] = 1; }},
    {"an attribute of another type", [](std::string& c) { c[attribute(c) + 32] = 0x19; }},
    {"an attribute of integers of 3 bytes", [](std::string& c) { c[attribute(c) + 36] = 3; }},
    {"a message beyond its block", [](std::string& c) { put(c, attribute(c) + 2, 0xfff8, 2); }},
    {"a shared message", [](std::string& c) { c[attribute(c) + 4] = 2; }},
    {"a message of another kind", [](std::string& c) { put(c, attribute(c), 0x0d, 2); }},
    {"more messages than there are", [](std::string& c) { put(c, 96 + 2, 60000, 2); }},
    {"a header that continues in itself", [](std::string& c) { put(c, 120, 112, 8); }},
    {"a header that continues beyond the file", [](std::string& c) { put(c, 120, c.size(), 8); }},
    {"names beyond the file", [](std::string& c) { put(c, find(c, "HEAP") + 8, std::uint64_t{1} << 40, 8); }},
    {"free names in a circle",
     [](std::string& c) {
       const std::size_t head = find(c, "HEAP") + 16, first = heap_values(c) + static_cast<unsigned char>(c[head]);
       put(c, first, static_cast<unsigned char>(c[head]), 8);
     }},
    {"a name that is not among the names", [](std::string& c) { put(c, find(c, "SNOD") + 8, 1 << 30, 8); }},
    {"a leaf of too many entries", [](std::string& c) { put(c, find(c, "SNOD") + 6, 60000, 2); }},
    {"a link to somewhere else", [](std::string& c) { put(c, find(c, "SNOD") + 24, 2, 4); }},
    {"one object under two names",
     [](std::string& c) { c.replace(find(c, "SNOD") + 56, 8, c.substr(find(c, "SNOD") + 16, 8)); }},
    {"a tree in a circle",
     [](std::string& c) {
       const std::size_t tree = find(c, "TREE");
       c[tree + 5] = 1;
       put(c, tree + 32, tree, 8);
     }},
    {"a tree of too many entries", [](std::string& c) { put(c, find(c, "TREE") + 6, 60000, 2); }},
    {"a dataset of more values than bytes",
     [](std::string& c) {
       put(c, dataset_header(c) + 16 + 8 + 8, 1 << 20, 4), put(c, dataset_header(c) + 16 + 8 + 16, 1 << 20, 4);
     }},
    {"a dataset that may grow", [](std::string& c) { put(c, dataset_header(c) + 16 + 8 + 16, ~std::uint64_t{0}, 8); }},
    {"a dataset beyond the file", [](std::string& c) { put(c, dataset_header(c) + 98, c.size(), 8); }},
};

}  // namespace

TEST_CASE("A shard whose structure is damaged never reaches HDF5") {
  const std::string whole = content_of_a_shard();
  CHECK_NOTHROW(require_plain_hdf5(kPath));
  CHECK(Dataset::open(kPath).size() == 1);
  for (const Damage& damage : kDamages) {
    std::string content = whole;
    damage.apply(content);
    CAPTURE(damage.what);
    CHECK(content != whole);
    write(content);
    CHECK_THROWS_AS(require_plain_hdf5(kPath), DataError);
    CHECK_THROWS_AS(Dataset::open(kPath), DataError);
  }
  fs::remove(kPath);
  CHECK_THROWS_AS(require_plain_hdf5(kPath), DataError);
}

TEST_CASE("A shard with a byte changed is read or refused") {
  const std::string whole = content_of_a_shard();
  int num_refused = 0;
  for (std::size_t at = 0; at < whole.size(); at += 5) {
    std::string content = whole;
    content[at] ^= at % 2 == 0 ? '\x01' : '\x80';
    write(content);
    try {
      const Dataset set = Dataset::open(kPath);
      std::vector<std::uint8_t> bytes;
      for (std::int64_t i = 0; i < set.size(); ++i) set.read(i, bytes);
    } catch (const DataError&) {
      ++num_refused;
    }
  }
  CHECK(num_refused > 100);
  fs::remove(kPath);
}
