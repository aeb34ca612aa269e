// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "barlow/base/error.hpp"
#include "barlow/base/random.hpp"
#include "barlow/data/dataset.hpp"
#include "barlow/data/fingerprint.hpp"
#include "barlow/data/shard_writer.hpp"
#include "support/catch.hpp"

namespace fs = std::filesystem;
using namespace barlow;
using namespace barlow::data;

namespace {

/// A folder of its own for each test.
struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("barlow-dataset-" + std::to_string(getpid()));
  TemporaryFolder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~TemporaryFolder() { fs::remove_all(path); }
};

const std::vector<std::string> kClasses = {"cat", "dög", "zebra"};

/// Raw samples of differing sizes, 10 MB in all, so that the writer's buffer fills and single large samples pass it by.
std::vector<std::uint8_t> sample_bytes(int index, SampleInfo& info) {
  const int side = index == 5 ? 1300 : 3 + index % 7 * 40;
  info = {Encoding::kRaw, side, side + 1, 3, index % 3, 0};
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(side) * static_cast<std::size_t>(side + 1) * 3);
  RandomStream random(1, RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(index));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next_u32());
  info.size_bytes = static_cast<std::int64_t>(bytes.size());
  return bytes;
}

void write_set(const fs::path& path, int num_samples, int num_shards) {
  std::vector<ShardWriter> writers;
  std::vector<Digest> digests;
  for (int s = 0; s < num_shards; ++s) {
    writers.emplace_back(num_shards == 1 ? path : path / ("shard-" + std::to_string(s) + ".h5"));
    for (int i = num_samples * s / num_shards; i < num_samples * (s + 1) / num_shards; ++i) {
      SampleInfo info{};
      const auto bytes = sample_bytes(i, info);
      writers.back().append(info, "name/" + std::to_string(i), bytes);
    }
    digests.insert(digests.end(), writers.back().digests().begin(), writers.back().digests().end());
  }
  const std::string fingerprint = set_fingerprint(digests, kClasses);
  for (int s = 0; s < num_shards; ++s)
    writers[static_cast<std::size_t>(s)].finish({kClasses, fingerprint, num_samples, s, num_shards});
}

void check_sample(const Dataset& set, int index) {
  SampleInfo expected{};
  const auto bytes = sample_bytes(index, expected);
  std::vector<std::uint8_t> stored;
  set.read(index, stored);
  CHECK(stored == bytes);
  const SampleInfo& info = set.info(index);
  CHECK(info.width == expected.width);
  CHECK(info.height == expected.height);
  CHECK(info.label == expected.label);
  CHECK(info.size_bytes == expected.size_bytes);
  CHECK(set.source_name(index) == "name/" + std::to_string(index));
}

std::string hex(Digest digest) {
  std::string text;
  for (const auto byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("SHA-256 gives the standard's digests, in any pieces") {
  const std::string text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += piece)
      hash.update(std::span(bytes + at, std::min(piece, text.size() - at)));
    CHECK(hex(hash.finish()) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  }
  CHECK(hex(Sha256().finish()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.update(std::vector<std::uint8_t>(1000, 'a'));
  CHECK(hex(million.finish()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("What is written is read, however it is cut") {
  const TemporaryFolder folder;
  std::string fingerprint;
  for (const int num_shards : {1, 3, 4}) {
    const fs::path path = folder.path / std::to_string(num_shards);
    if (num_shards > 1) fs::create_directory(path);
    write_set(path, 40, num_shards);
    const Dataset set = Dataset::open(path);
    REQUIRE(set.size() == 40);
    CHECK(set.num_shards() == num_shards);
    CHECK(set.class_names() == kClasses);
    if (fingerprint.empty()) fingerprint = set.fingerprint();
    CHECK(set.fingerprint() == fingerprint);
    for (int i = 39; i >= 0; --i) check_sample(set, i);
    std::vector<std::uint8_t> bytes;
    CHECK_THROWS_AS(set.read(40, bytes), DataError);
    CHECK_THROWS_AS(set.info(-1), DataError);
  }
}

TEST_CASE("The smallest sets have the layout of large ones") {
  const TemporaryFolder folder;
  for (const int num_samples : {1, 2, 3}) {
    write_set(folder.path / "small.h5", num_samples, 1);
    const Dataset set = Dataset::open(folder.path / "small.h5");
    REQUIRE(set.size() == num_samples);
    for (int i = 0; i < num_samples; ++i) check_sample(set, i);
  }
}

TEST_CASE("Threads read at the same time") {
  const TemporaryFolder folder;
  write_set(folder.path / "set.h5", 30, 1);
  const Dataset set = Dataset::open(folder.path / "set.h5");
  std::atomic<int> num_wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::uint8_t> bytes;
      for (int i = 0; i < 60; ++i) {
        SampleInfo info{};
        const int index = (i * 7 + t) % 30;
        set.read(index, bytes);
        if (bytes != sample_bytes(index, info)) ++num_wrong;
      }
    });
  }
  threads.clear();
  CHECK(num_wrong == 0);
}

TEST_CASE("An unfinished shard vanishes, and its file does not open before") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "set.h5";
  {
    ShardWriter writer(path);
    SampleInfo info{};
    const auto bytes = sample_bytes(5, info);
    writer.append(info, "x", bytes);
    REQUIRE(fs::exists(path));
    CHECK_THROWS_AS(Dataset::open(path), DataError);
    fs::copy_file(path, folder.path / "killed.h5");
  }
  CHECK_FALSE(fs::exists(path));
  CHECK_THROWS_AS(Dataset::open(folder.path / "killed.h5"), DataError);
}

TEST_CASE("A moved writer writes on; the one moved from removes nothing") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "set.h5";
  SampleInfo info{};
  const auto bytes = sample_bytes(1, info);
  std::vector<ShardWriter> writers;
  {
    ShardWriter first(path);
    first.append(info, "a", bytes);
    writers.push_back(std::move(first));
  }
  REQUIRE(fs::exists(path));
  writers[0].append(info, "b", bytes);
  writers[0].finish({kClasses, set_fingerprint(writers[0].digests(), kClasses), 2, 0, 1});
  CHECK(Dataset::open(path).size() == 2);
}

TEST_CASE("A changed byte is found when its sample is read") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "set.h5";
  write_set(path, 10, 1);
  SampleInfo info{};
  const auto wanted = sample_bytes(5, info);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string content(fs::file_size(path), '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  const auto at = content.find(std::string(wanted.begin(), wanted.begin() + 64));
  REQUIRE(at != std::string::npos);
  file.seekp(static_cast<std::streamoff>(at + 20));
  file.put(static_cast<char>(content[at + 20] ^ 1));
  file.close();
  const Dataset set = Dataset::open(path);
  std::vector<std::uint8_t> bytes;
  CHECK_NOTHROW(set.read(4, bytes));
  CHECK_THROWS_WITH(set.read(5, bytes), contains("name/5") && contains("checksum"));
}

TEST_CASE("A file that another program has locked is written and read") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "set.h5";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(flock(descriptor, LOCK_EX | LOCK_NB) == 0);  // as HDF5 does
  write_set(path, 4, 1);
  CHECK(Dataset::open(path).size() == 4);
  close(descriptor);
}

TEST_CASE("A cut or foreign file is refused") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "set.h5";
  write_set(path, 4, 1);
  const auto size = fs::file_size(path);
  for (const auto cut : {size - 1, size / 2, std::uintmax_t{3000}, std::uintmax_t{100}, std::uintmax_t{0}}) {
    fs::resize_file(path, cut);
    CHECK_THROWS_AS(Dataset::open(path), DataError);
  }
  CHECK_THROWS_WITH(Dataset::open(folder.path / "none.h5"), contains("no such file"));
  CHECK_THROWS_AS(ShardWriter(folder.path / "no" / "set.h5"), StorageError);
}

TEST_CASE("What cannot be a set is refused at once, with the system's reason") {
  const TemporaryFolder folder;
  const fs::path pipe = folder.path / "pipe.h5";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(Dataset::open(pipe), contains("not a regular file"));
  CHECK_FALSE(is_shard(pipe));
  CHECK_THROWS_WITH(Dataset::open(folder.path / std::string(300, 'n')), contains("name too long"));
}
