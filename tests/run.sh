#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. Arguments go to ctest:
#   ./tests/run.sh -L unit          the unit tests only
# BUILD_DIR names another build directory than ./build.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}

"$top/deploy/packages.sh" --tests
cmake -S "$top" -B "$build" -DDECREE_TESTS=ON -DDECREE_WERROR=ON
cmake --build "$build" -j2
ctest --test-dir "$build" --output-on-failure -j2 "$@"
