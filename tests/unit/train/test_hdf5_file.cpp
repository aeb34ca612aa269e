// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "barlow/base/error.hpp"
#include "barlow/train/hdf5_file.hpp"
#include "support/catch.hpp"

using namespace barlow;
using namespace barlow::train;

namespace {

struct TemporaryFolder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("barlow-hdf5-" + std::to_string(getpid()));
  TemporaryFolder() { std::filesystem::create_directories(path); }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("tensors and attributes come back") {
  const TemporaryFolder folder;
  const auto path = folder.path / "a.h5";
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  Hdf5File file = Hdf5File::create(path);
  file.write("group/inner/values", ConstTensorView(values.data(), DType::kF32, {2, 3}), true);
  file.write_attribute("/", "step", std::int64_t{42});
  file.write_attribute("/group", "loss", 1.5);
  file.write_attribute("/", "text", std::string("{\"a\": 1}"));
  file.close();

  const Hdf5File read = Hdf5File::open(path);
  CHECK(read.shape_of("group/inner/values") == Shape{2, 3});
  CHECK_FALSE(read.contains("group/other/values"));
  std::vector<float> back(6);
  read.read("group/inner/values", TensorView(back.data(), DType::kF32, {2, 3}));
  CHECK(back == values);
  CHECK(read.read_int("/", "step") == 42);
  CHECK(read.read_double("/group", "loss") == 1.5);
  CHECK(read.read_string("/", "text") == "{\"a\": 1}");
  CHECK_THROWS_AS(read.read("group/inner/values", TensorView(back.data(), DType::kF32, {3, 2})), DataError);
  CHECK_THROWS_AS(read.read_int("/", "nothing"), DataError);
}

TEST_CASE("a flipped byte and a missing file are errors of the file") {
  const TemporaryFolder folder;
  const auto path = folder.path / "a.h5";
  std::vector<float> values(1000, 1.25F);
  Hdf5File file = Hdf5File::create(path);
  file.write("values", ConstTensorView(values.data(), DType::kF32, {1000}), true);
  file.close();
  {
    std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path)) - 100);
    bytes.put('\x7f');
  }
  CHECK_THROWS_AS(Hdf5File::open(path).read("values", TensorView(values.data(), DType::kF32, {1000})), DataError);
  CHECK_THROWS_AS(Hdf5File::open(folder.path / "none.h5"), DataError);
  CHECK_THROWS_AS(Hdf5File::create(folder.path / "none" / "a.h5"), StorageError);
}
