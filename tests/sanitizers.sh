#!/usr/bin/env bash
# Runs tests once more in instrumented builds, after ./tests/run.sh has built everything as it is:
#   address, undefined   all unit tests, and a short simulation with 3 and with 5 nodes
#   thread               the unit tests of rpc/, and processes whose threads are the server's own
# BUILD_DIR names another build directory than ./build; the instrumented ones stand beside it.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}

instrument() {  # DIRECTORY SANITIZERS TARGET...
  cmake -S "$top" -B "$1" -DDECREE_TESTS=ON -DDECREE_SANITIZE="$2" >/dev/null
  cmake --build "$1" -j2 --target "${@:3}"
}

echo "== address and undefined behaviour"
address=$build-address
instrument "$address" address,undefined \
  paxos_base_test paxos_core_test paxos_log_test paxos_node_test kv_test rpc_test support_test \
  decree-sim decree-scenario
ctest --test-dir "$address" --output-on-failure -j2 -L unit
for nodes in 3 5; do
  "$address/bin/decree-sim" --seed 1 --runs 50 --nodes "$nodes" --jobs 2
done

echo "== threads"
thread=$build-thread
instrument "$thread" thread decreed rpc_test
reports=$(mktemp -d)
export TSAN_OPTIONS="suppressions=$top/tests/thread_sanitizer.supp log_path=$reports/report"
"$thread/bin/rpc_test" --gtest_brief=1
DECREED=$thread/bin/decreed "$build/bin/cluster_test" --gtest_brief=1 \
  --gtest_filter='HandOverTest.*:StandardServicesTest.*:ClusterTest.Sigterm*:SessionTest.Old*'
if compgen -G "$reports/report*" >/dev/null; then
  cat "$reports"/report*
  exit 1
fi
rm -r "$reports"
echo "sanitizers: nothing found"
