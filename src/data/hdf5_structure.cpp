// SPDX-License-Identifier: Apache-2.0
// The format's description: docs.hdfgroup.org, "HDF5 File Format Specification Version 3.0"; numbers in Roman are its
// sections.
#include "barlow/data/hdf5_structure.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "barlow/base/error.hpp"
#include "barlow/base/file_descriptor.hpp"

namespace barlow::data {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint64_t kUndefined = ~std::uint64_t{0};
constexpr std::uint64_t kMaxPiece = std::uint64_t{16} << 20;  // of structure; values are not read
constexpr std::uint64_t kMaxValues = std::uint64_t{1} << 48;
constexpr std::uint64_t kUserBlock = 512;
constexpr int kMaxDepth = 4;
constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

/// The properties of IEEE numbers, as a datatype message has them (IV.A.2.d).
constexpr std::array<std::uint8_t, 20> kFloat = {0x11, 0x20, 31, 0, 4, 0,  0,   0, 0, 0,
                                                 32,   0,    23, 8, 0, 23, 127, 0, 0, 0};
constexpr std::array<std::uint8_t, 20> kDouble = {0x11, 0x20, 63, 0,  8, 0,  0,    0, 0, 0,
                                                  64,   0,    52, 11, 0, 52, 0xff, 3, 0, 0};

enum Message : std::uint64_t {
  kNil = 0x00,
  kDataspace = 0x01,
  kDatatype = 0x03,
  kFillValue = 0x05,
  kLayout = 0x08,
  kAttribute = 0x0c,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
  kModified = 0x12,
};

class File {
 public:
  explicit File(const std::filesystem::path& path)
      : path_(path), file_(path, O_RDONLY | O_NONBLOCK) {  // a pipe would have it wait
    struct stat status {};
    if (!file_ || fstat(file_.get(), &status) != 0)
      throw DataError("\"" + path.string() + "\": " + std::strerror(errno));
    if (!S_ISREG(status.st_mode)) throw DataError("\"" + path.string() + "\": not a regular file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  void require(bool condition, const char* what) const {
    if (!condition) {
      throw DataError("\"" + path_.string() +
                      "\": not an HDF5 file of the kind that barlow writes, damaged, or cut short (" + what + ")");
    }
  }
  /// From here on, addresses count from `base`.
  void set_base(std::uint64_t base) { base_ = base; }
  /// What lies behind `end` is not the file's, whatever is there.
  void set_end(std::uint64_t end) { size_ = end; }
  bool contains(std::uint64_t address, std::uint64_t count) const {
    return count <= size_ - base_ && address <= size_ - base_ - count;
  }
  std::vector<std::uint8_t> read(std::uint64_t address, std::uint64_t count) const {
    require(count <= kMaxPiece && contains(address, count), "a part of it lies outside");
    std::vector<std::uint8_t> bytes(count);
    const std::int64_t got = read_at(file_, static_cast<std::int64_t>(base_ + address), bytes.data(), bytes.size());
    require(got == static_cast<std::int64_t>(count), "it cannot be read");
    return bytes;
  }
  std::uint64_t size() const { return size_; }

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
  std::uint64_t size_ = 0, base_ = 0;
};

/// What an object header says of one object.
struct Object {
  std::uint64_t values = 0, value_bytes = 0;  ///< of a dataset
  int num_spaces = 0, num_types = 0, num_layouts = 0, num_tables = 0;
  std::uint64_t layout_address = 0, layout_bytes = 0, tree = 0, heap = 0;
};

class Structure {
 public:
  explicit Structure(const std::filesystem::path& path) : file_(path) {}

  void check() {
    const bool at_start = has_signature(0);
    require(at_start || has_signature(kUserBlock), "no signature");
    const std::uint64_t base = at_start ? 0 : kUserBlock;
    const auto block = file_.read(base, 96);  // II.A, version 0
    file_.set_base(base);
    const Bytes b = block;
    require(number(b, 8, 6) == 0x080000000000 && b[14] == 8 && b[15] == 0, "its superblock is of another version");
    leaf_entries_ = 2 * number(b, 16, 2);
    node_entries_ = 2 * number(b, 18, 2);
    require(leaf_entries_ > 0 && node_entries_ > 0 && number(b, 20, 4) == 0, "superblock");
    require(number(b, 24, 8) == base && number(b, 32, 8) == kUndefined && number(b, 48, 8) == kUndefined, "superblock");
    const std::uint64_t end = number(b, 40, 8);
    require(end <= file_.size() && end >= base + 96, "it ends early");
    file_.set_end(end);
    check_entry(b.subspan(56, 40), 0);
  }

 private:
  void require(bool condition, const char* what) const { file_.require(condition, what); }

  bool has_signature(std::uint64_t at) const {
    if (!file_.contains(at, 96)) return false;
    const auto head = file_.read(at, kSignature.size());
    return std::equal(kSignature.begin(), kSignature.end(), head.begin());
  }

  /// Little-endian, `count` bytes of `bytes` from `at`.
  std::uint64_t number(Bytes bytes, std::size_t at, std::size_t count) const {
    require(at <= bytes.size() && count <= bytes.size() - at, "a part of it is too short");
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8 | bytes[at + i];
    return value;
  }
  static bool begins_with(Bytes bytes, const char* word) { return std::memcmp(bytes.data(), word, 4) == 0; }
  /// Every piece once: whatever the addresses, the walk ends.
  void visit(std::uint64_t address) { require(visited_.insert(address).second, "a part of it is used twice"); }

  /// A symbol table entry (III.C) with the object that it stands for. What it caches of a group is what HDF5 goes by.
  void check_entry(Bytes entry, int depth) {
    const Object object = read_object(number(entry, 8, 8));
    const std::uint64_t cached = number(entry, 16, 4);
    require(cached <= 1, "a link to somewhere else");
    if (object.num_tables == 1) {
      require(object.num_layouts + object.num_spaces + object.num_types == 0, "a group with values");
      require(cached == 0 || (number(entry, 24, 8) == object.tree && number(entry, 32, 8) == object.heap), "group");
      require(depth < kMaxDepth, "groups in groups");
      check_group(object, depth);
    } else {
      require(depth > 0 && cached == 0 && object.num_tables == 0, "an object that is no group");
      require(object.num_spaces == 1 && object.num_types == 1 && object.num_layouts == 1,
              "an object that is no dataset");
      require(object.layout_bytes == object.values * object.value_bytes, "a dataset of another size");
      require(object.layout_bytes == 0 || file_.contains(object.layout_address, object.layout_bytes), "values outside");
    }
  }

  void check_group(const Object& group, int depth) {
    const std::vector<std::uint8_t> names = read_heap(group.heap);
    check_tree(group.tree, -1, names, depth);
  }

  /// III.D; its free blocks are a chain that HDF5 follows.
  std::vector<std::uint8_t> read_heap(std::uint64_t address) {
    visit(address);
    const auto head = file_.read(address, 32);
    require(begins_with(head, "HEAP") && head[4] == 0, "heap");
    const std::vector<std::uint8_t> names = file_.read(number(head, 24, 8), number(head, 8, 8));
    std::set<std::uint64_t> seen;
    for (std::uint64_t block = number(head, 16, 8); block != 1;) {
      require(block % 8 == 0 && seen.insert(block).second && block < names.size(), "heap");
      const std::uint64_t size = number(names, block + 8, 8);
      require(size >= 16 && size <= names.size() - block, "heap");
      block = number(names, block, 8);
    }
    return names;
  }

  void check_name(const std::vector<std::uint8_t>& names, std::uint64_t at) const {
    require(
        at < names.size() && std::find(names.begin() + static_cast<std::ptrdiff_t>(at), names.end(), 0) != names.end(),
        "a name does not end");
  }

  /// A node of a group's tree (III.A.1); `level` -1: the root, of any level.
  void check_tree(std::uint64_t address, int level, const std::vector<std::uint8_t>& names, int depth) {
    visit(address);
    const auto node = file_.read(address, 24 + node_entries_ * 16 + 8);
    const std::uint64_t count = number(node, 6, 2);
    require(begins_with(node, "TREE") && node[4] == 0 && count <= node_entries_, "tree");
    require(level < 0 ? node[5] < kMaxDepth : node[5] == level, "tree");
    for (std::size_t i = 0; i <= count && count > 0; ++i) check_name(names, number(node, 24 + 16 * i, 8));
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t child = number(node, 32 + 16 * i, 8);
      node[5] > 0 ? check_tree(child, node[5] - 1, names, depth) : check_leaf(child, names, depth);
    }
  }

  /// III.B
  void check_leaf(std::uint64_t address, const std::vector<std::uint8_t>& names, int depth) {
    visit(address);
    const auto leaf = file_.read(address, 8 + 40 * leaf_entries_);
    const std::uint64_t count = number(leaf, 6, 2);
    require(begins_with(leaf, "SNOD") && leaf[4] == 1 && count <= leaf_entries_, "leaf");
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes entry = Bytes(leaf).subspan(8 + 40 * i, 40);
      check_name(names, number(entry, 0, 8));
      check_entry(entry, depth + 1);
    }
  }

  /// An object header, version 1 (IV.A.1.a), with the blocks that continue it.
  Object read_object(std::uint64_t address) {
    visit(address);
    const auto head = file_.read(address, 16);
    require(head[0] == 1, "an object header of another version");
    Object object;
    std::uint64_t count = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks = {{address + 16, number(head, 8, 4)}};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (i > 0) visit(blocks[i].first);
      const auto block = file_.read(blocks[i].first, blocks[i].second);
      for (Bytes rest = block; !rest.empty(); ++count) {
        const std::uint64_t type = number(rest, 0, 2), size = number(rest, 2, 2), flags = number(rest, 4, 1);
        require(size % 8 == 0 && rest.size() >= 8 && size <= rest.size() - 8, "a message is too long");
        require((flags & ~std::uint64_t{5}) == 0, "a message is shared");  // 1: constant, 4: not to be shared
        const Bytes body = rest.subspan(8, size);
        if (type == kContinuation) {
          blocks.emplace_back(number(body, 0, 8), number(body, 8, 8));
        } else {
          check_message(type, body, object);
        }
        rest = rest.subspan(8 + size);
      }
    }
    require(count == number(head, 2, 2), "an object header has another number of messages");
    return object;
  }

  void check_message(std::uint64_t type, Bytes body, Object& object) const {
    switch (type) {
      case kNil:
        return;
      case kDataspace:
        ++object.num_spaces;
        object.values = check_space(body);
        return;
      case kDatatype:
        ++object.num_types;
        object.value_bytes = check_type(body, false);
        return;
      case kFillValue:  // version 2 without a value
        return require(number(body, 0, 1) == 2 && number(body, 3, 1) == 1 && number(body, 4, 4) == 0 && body[1] <= 3 &&
                           body[2] <= 2,
                       "fill value");
      case kLayout:  // version 3, contiguous
        require(number(body, 0, 2) == 0x0103, "values that are not contiguous");
        ++object.num_layouts;
        object.layout_address = number(body, 2, 8), object.layout_bytes = number(body, 10, 8);
        return;
      case kAttribute:
        return check_attribute(body);
      case kSymbolTable:
        ++object.num_tables;
        object.tree = number(body, 0, 8), object.heap = number(body, 8, 8);
        return;
      case kModified:
        return require(number(body, 0, 1) == 1 && body.size() == 8, "time");
      default:
        require(false, "a message of another kind");
    }
  }

  /// The number of values (IV.A.2.b, version 1); what may grow could not be contiguous.
  std::uint64_t check_space(Bytes body) const {
    const std::uint64_t rank = number(body, 1, 1), flags = number(body, 2, 1);
    require(body[0] == 1 && rank <= 32 && flags <= 1, "shape");
    std::uint64_t values = 1;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      const std::uint64_t extent = number(body, 8 + 8 * axis, 8);
      require(extent == 0 || values <= kMaxValues / extent, "shape");
      values *= extent;
      require(flags == 0 || number(body, 8 + 8 * (rank + axis), 8) == extent, "shape");
    }
    return values;
  }

  /// The bytes of one value (IV.A.2.d, version 1): little-endian integers, IEEE numbers, and strings in attributes.
  std::uint64_t check_type(Bytes body, bool is_attribute) const {
    const std::uint64_t size = number(body, 4, 4), bits = number(body, 1, 3);
    const auto is = [&](Bytes expected) {
      return body.size() >= expected.size() && std::equal(expected.begin(), expected.end(), body.begin());
    };
    if (body[0] == 0x10) {
      require((bits & ~std::uint64_t{8}) == 0 && (size == 1 || size == 2 || size == 4 || size == 8), "type");
      require(number(body, 8, 2) == 0 && number(body, 10, 2) == 8 * size, "type");
    } else if (body[0] == 0x13 && is_attribute) {
      require((bits & 0xf) <= 2 && bits >> 4 <= 1 && size > 0 && size <= 65536, "type");
    } else {
      require(is(kFloat) || is(kDouble), "type");
    }
    return size;
  }

  /// IV.A.2.m, version 1: name, type and shape, each padded to whole eights, then one or more values.
  void check_attribute(Bytes body) const {
    const std::uint64_t name_bytes = number(body, 2, 2), type_bytes = number(body, 4, 2),
                        space_bytes = number(body, 6, 2);
    require(body[0] == 1, "attribute");
    const auto padded = [](std::uint64_t size) { return (size + 7) / 8 * 8; };
    const std::uint64_t type_at = 8 + padded(name_bytes), space_at = type_at + padded(type_bytes),
                        values_at = space_at + padded(space_bytes);
    require(name_bytes > 0 && values_at <= body.size() && body[8 + name_bytes - 1] == 0, "attribute");
    const std::uint64_t value_bytes = check_type(body.subspan(type_at, type_bytes), true);
    const std::uint64_t values = check_space(body.subspan(space_at, space_bytes));
    require(values <= body.size() && values * value_bytes <= body.size() - values_at, "attribute");
  }

  File file_;
  std::uint64_t leaf_entries_ = 0, node_entries_ = 0;
  std::set<std::uint64_t> visited_;
};

}  // namespace

void require_plain_hdf5(const std::filesystem::path& file) { Structure(file).check(); }

}  // namespace barlow::data
