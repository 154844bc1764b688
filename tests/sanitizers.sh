#!/usr/bin/env bash
# Runs tests once more in instrumented builds, after ./tests/run.sh has built everything as it is:
#   address, undefined   all unit tests, and a short simulation with 3 and with 5 nodes
#   thread               the unit tests of rpc/, and processes whose threads are the server's own
# BUILD_DIR names another build directory than ./build; the instrumented ones stand beside it.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}

# Several sources are compiled as one, which takes 3 minutes where file by file takes 6.
instrument() {  # DIRECTORY SANITIZERS TARGET...
  cmake -S "$top" -B "$1" -DDECREE_TESTS=ON -DDECREE_SANITIZE="$2" \
    -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=6 >/dev/null
  cmake --build "$1" -j2 --target "${@:3}"
}

echo "== address and undefined behaviour"
address=$build-address
instrument "$address" address,undefined \
  paxos_base_test paxos_core_test paxos_fs_test paxos_log_test paxos_node_test kv_test rpc_test bench_test support_test \
  decree-sim decree-scenario
ctest --test-dir "$address" --output-on-failure -j2 -L unit
for nodes in 3 5; do
  timeout 600 "$address/bin/decree-sim" --seed 1 --runs 50 --nodes "$nodes" --jobs 2
done

echo "== threads"
thread=$build-thread
instrument "$thread" thread decreed rpc_test
reports=$(mktemp -d)
trap 'rm -r "$reports"' EXIT
export TSAN_OPTIONS="suppressions=$top/tests/thread_sanitizer.supp log_path=$reports/report"
failed=0
timeout 300 "$thread/bin/rpc_test" --gtest_brief=1 || failed=1
# What the sanitizer holds itself is no reason to reset connections.
DECREED=$thread/bin/decreed DECREED_MEMORY_MIB=65536 timeout 600 "$build/bin/cluster_test" --gtest_brief=1 \
  --gtest_filter='HandOverTest.*:StandardServicesTest.*:ClusterTest.Sigterm*:SessionTest.Old*:RangeTest.Pages*:PipelineTest.*' || failed=1
if compgen -G "$reports/report*" >/dev/null; then
  cat "$reports"/report*
  failed=1
fi
[ "$failed" -eq 0 ]
echo "sanitizers: nothing found"
