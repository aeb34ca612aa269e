# SPDX-License-Identifier: Apache-2.0
barlow_add_test(safetensors SOURCES test_safetensors.cpp LIBRARIES barlow::train LABEL unit)
