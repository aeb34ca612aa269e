# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # used by those who source it
# What Debian 12 and Ubuntu 22.04/24.04 call the things that barlow needs. Sourced.

build_packages=(cmake ninja-build pkg-config git libopenmpi-dev openmpi-bin libhdf5-dev libdnnl-dev ocl-icd-opencl-dev
  libturbojpeg0-dev libpng-dev zlib1g-dev libdeflate-dev libfmt-dev libspdlog-dev nlohmann-json3-dev libcli11-dev)
test_packages=(catch2 ccache slurm-wlm shellcheck clang-format python3-numpy python3-h5py python3-pil libopenblas0-pthread clang)
oracle_packages=(python3-torch python3-torchvision) # Ubuntu 24.04 has none: tests that need them say so
sample_packages=(dataset-fashion-mnist)

# Ubuntu 22.04's own g++ is 11, which is too old; its clang has the runtime that fuzzers need, elsewhere a package.
if grep -q '^UBUNTU_CODENAME=jammy' /etc/os-release 2>/dev/null; then
  build_packages+=(gcc-12 g++-12)
  export CC=${CC:-gcc-12} CXX=${CXX:-g++-12}
else
  build_packages+=(g++)
  test_packages+=(libclang-rt-dev)
fi

# Ubuntu names libjpeg's headers differently.
if grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null; then
  build_packages+=(libjpeg-turbo8-dev)
else
  build_packages+=(libjpeg62-turbo-dev)
fi

# install_packages PACKAGE... : those that are missing, by apt, as root or through sudo.
install_packages() {
  local missing=() package root=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "This system has no apt-get. Install what INSTALL.md lists, then use --no-install." >&2
    return 2
  fi
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  echo "Installing ${#missing[@]} packages: ${missing[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
