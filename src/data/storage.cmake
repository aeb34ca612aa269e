# SPDX-License-Identifier: Apache-2.0
barlow_add_module(data_storage
  SOURCES dataset.cpp hdf5_access.cpp hdf5_handle.cpp hdf5_structure.cpp shard_writer.cpp fingerprint.cpp image_decoder.cpp jpeg_codec.cpp png_decoder.cpp
  DEPENDS barlow::base
  PRIVATE HDF5::HDF5 JPEG::JPEG PNG::PNG fmt::fmt)
