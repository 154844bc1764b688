#!/usr/bin/env bash
# Fuzzes everything that reads bytes of others, with clang's libFuzzer: fuzz.sh [SECONDS [TARGET...]]
# Each target of tests/fuzz/README.md runs for so many seconds, 60 unless it is said, two at a time. What it finds, and every
# input that is new to it, stays in build-fuzz/tests/fuzz/TARGET.
# BUILD_DIR names another build directory than ./build; the one of the fuzzers stands beside it.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}-fuzz
seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || { echo "fuzz.sh: $seconds is no number of seconds" >&2; exit 2; }
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(basename -s _fuzz.cc "$top"/tests/fuzz/*_fuzz.cc)

"$top/deploy/packages.sh" --fuzz
cmake -S "$top" -B "$build" -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DDECREE_FUZZ=ON \
  -DDECREE_FUZZ_SECONDS="$seconds" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=6 >/dev/null
cmake --build "$build" -j2 --target "${targets[@]/%/_fuzz}"
names=$(IFS='|'; echo "${targets[*]}")
ctest --test-dir "$build" --output-on-failure -j2 -L fuzz -R "^fuzz/($names)\$"
