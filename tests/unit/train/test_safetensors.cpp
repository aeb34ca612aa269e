// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "barlow/base/error.hpp"
#include "barlow/train/safetensors.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;

namespace {

const std::filesystem::path kPath =
    std::filesystem::temp_directory_path() / ("barlow-" + std::to_string(getpid()) + ".safetensors");

void write_raw(const std::string& header, const std::string& data) {
  std::ofstream file(kPath, std::ios::binary);
  const std::uint64_t size = header.size();
  file.write(reinterpret_cast<const char*>(&size), 8);
  file << header << data;
}

}  // namespace

TEST_CASE("tensors come back from a safetensors file") {
  NamedTensor weights{"layer.weight", DType::kF32, {2, 3}, std::vector<std::byte>(24, std::byte{7})};
  NamedTensor counter{"count", DType::kI64, {}, std::vector<std::byte>(8, std::byte{1})};
  write_safetensors(kPath, std::vector{weights, counter});
  const auto read = read_safetensors(kPath);
  REQUIRE(read.size() == 2);
  CHECK(read[0].name == "layer.weight");
  CHECK(read[0].shape == Shape{2, 3});
  CHECK(read[0].data == weights.data);
  CHECK(read[1].dtype == DType::kI64);
  CHECK(read[1].shape == Shape{});
  CHECK_FALSE(std::filesystem::exists(kPath.string() + ".tmp"));
  std::filesystem::remove(kPath);
}

TEST_CASE("a header of very many names takes no time that grows with its square") {
  std::string header = "{";
  for (int i = 0; i < 200'000; ++i)
    header += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  header.back() = '}';
  write_raw(header, "");
  const auto start = std::chrono::steady_clock::now();
  CHECK(read_safetensors(kPath).size() == 200'000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(15));
  std::filesystem::remove(kPath);
}

TEST_CASE("malformed files are refused") {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  write_raw(good, "12345678");
  CHECK_NOTHROW(read_safetensors(kPath));
  const char* const bad[] = {
      "",
      "[]",
      "{",
      R"({"a":1})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
      R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[0,-2],"data_offsets":[0,0]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      R"({"a":{"dtype":"F32","shape":"x","data_offsets":[0,8]}})",
      R"({"a":{"dtype":5,"shape":[2],"data_offsets":[0]}})",
      R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":{"b":2},"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0.5,8]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})",
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
  };
  for (const char* header : bad) {
    write_raw(header, "12345678");
    CHECK_THROWS_AS(read_safetensors(kPath), DataError);
  }
  write_raw(good, "1234");
  CHECK_THROWS_AS(read_safetensors(kPath), DataError);
  std::ofstream(kPath, std::ios::binary) << "\xff\xff\xff\xff\xff\xff\xff\x7f";
  CHECK_THROWS_AS(read_safetensors(kPath), DataError);
  std::filesystem::remove(kPath);
  CHECK_THROWS_AS(read_safetensors(kPath), DataError);
}
