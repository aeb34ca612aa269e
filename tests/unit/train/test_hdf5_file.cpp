// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <hdf5.h>
#include <sys/file.h>
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

TEST_CASE("a file that another program has locked is written and read") {
  const TemporaryFolder folder;
  const auto path = folder.path / "a.h5";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(flock(descriptor, LOCK_EX | LOCK_NB) == 0);  // as HDF5 does
  Hdf5File file = Hdf5File::create(path);
  file.write_attribute("/", "step", std::int64_t{42});
  file.close();
  CHECK(Hdf5File::open(path).read_int("/", "step") == 42);
  close(descriptor);
}

TEST_CASE("an attribute of many values is not written over one") {
  const TemporaryFolder folder;
  const auto path = folder.path / "a.h5";
  const std::vector<float> values = {1, 2};
  {
    Hdf5File file = Hdf5File::create(path);
    file.write("values", ConstTensorView(values.data(), DType::kF32, {2}));
    file.close();
  }
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, "values", H5P_DEFAULT);
  const hsize_t count = 1000;
  const std::vector<std::int64_t> many(count, -1);
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  for (const auto& [object, name] : {std::pair(file, "step"), std::pair(dataset, "crc32")}) {
    const hid_t attribute = H5Acreate2(object, name, H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Awrite(attribute, H5T_NATIVE_INT64, many.data()) >= 0);
    H5Aclose(attribute);
  }
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 8);
  const hid_t attribute = H5Acreate2(file, "text", text, space, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Awrite(attribute, text, many.data()) >= 0);
  H5Aclose(attribute);
  H5Tclose(text);
  H5Sclose(space);
  H5Dclose(dataset);
  H5Fclose(file);
  const Hdf5File read = Hdf5File::open(path);
  CHECK_THROWS_AS(read.read_int("/", "step"), DataError);
  CHECK_THROWS_AS(read.read_double("/", "step"), DataError);
  CHECK_THROWS_AS(read.read_string("/", "text"), DataError);
  CHECK_THROWS_AS(read.read_int("/", "text"), DataError);
  std::vector<float> back(2);
  CHECK_THROWS_AS(read.read("values", TensorView(back.data(), DType::kF32, {2})), DataError);
}

TEST_CASE("a dataset that claims more than the file holds is refused before memory is taken") {
  const TemporaryFolder folder;
  const auto path = folder.path / "a.h5";
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t count = hsize_t{1} << 40;  // never written, so it takes no space: HDF5 would read zeros
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  H5Dclose(H5Dcreate2(file, "skipped_batches", H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  H5Fclose(file);
  CHECK_THROWS_AS(Hdf5File::open(path), DataError);
}
