#!/usr/bin/env bash
# Installs what is needed to build Decree on Debian 12. Does nothing, and needs no rights, where all is there.
#   --tests   and what only the tests need
#   --fuzz    and what fuzzing needs beside
set -euo pipefail

packages=(
  build-essential cmake ccache pkg-config
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev
  libleveldb-dev libsnappy-dev libgoogle-glog-dev libxxhash-dev libcli11-dev nlohmann-json3-dev
  libtomlplusplus-dev
  libgoogle-perftools-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
case ${1:-} in
  --tests) packages+=(systemd clang-format) ;;  # of systemd, its systemd-analyze
  --fuzz) packages+=(systemd clang-format clang libclang-rt-14-dev) ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "packages.sh: these packages are missing, and there is no sudo to install them with;" \
         "as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi

echo "Installing: ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}"
