#!/usr/bin/env bash
# Decree beside etcd, on this machine: three nodes each, in turn, on the same disk and with every write synced,
# under the same loads from the same program. What counts are the ratios within one round: machines drift.
#
#   compare.sh [--quick | --long] [--rounds N] [--out DIR]
#
# --quick ends within three minutes and is rough. --long adds memory and restart with a million keys. The
# result is a table, and a picture, in DIR (./comparison otherwise): comparison.md and comparison.svg.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${DECREE_BIN:-$top/build/bin}
out=$PWD/comparison
rounds=3 seconds=10 warm_up=2 kills=7 keys=100000 long=

fail() { echo "compare.sh: $*" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --quick) rounds=2 seconds=2 warm_up=1 kills=2 keys=10000; shift ;;
    --long) long=1; shift ;;
    --rounds) rounds=${2:?}; shift 2 ;;
    --out) out=$(realpath -m "${2:?}"); shift 2 ;;
    *) sed -n '2,9p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 1 ;;
  esac
done

"$top/deploy/packages.sh"
[ -n "${DECREE_BIN:-}" ] || {
  cmake -S "$top" -B "$top/build" >/dev/null
  cmake --build "$top/build" -j2 --target decreed decree decree-bench decree-bench-report decree-echo |
    tail -n 1
}

mkdir -p "$out"
rm -f "$out"/*.json
nodes=$(mktemp -d "$out/nodes.XXXXXX")  # beside the results: the same disk for both
cleanup() {
  decree_cluster wipe >/dev/null 2>&1 || true
  etcd_cluster wipe >/dev/null 2>&1 || true
  [ -z "${echo_pid:-}" ] || kill "$echo_pid" 2>/dev/null || true
  rm -rf "$nodes"
}
trap cleanup EXIT

# ---- The two systems, under the same verbs ----

decree_cluster() { "$top/deploy/cluster.sh" --data "$nodes/decree" --base-port 17001 "$@"; }
etcd_cluster() { "$top/bench/etcd_cluster.sh" --data "$nodes/etcd" "$@"; }
cluster() { local system=$1; shift; "${system}_cluster" "$@"; }

endpoints_of() {
  case $1 in
    decree) echo 127.0.0.1:17001,127.0.0.1:17002,127.0.0.1:17003 ;;
    etcd) etcd_cluster endpoints ;;
  esac
}
endpoint_of() { endpoints_of "$1" | cut -d, -f"$2"; }  # SYSTEM NODE
leader_of() {
  case $1 in
    decree)
      "$bin/decree" status --json --endpoints "$(endpoints_of decree)" |
        grep -m1 -o '"leader":[1-9]' | head -n 1 | cut -d: -f2
      ;;
    etcd) etcd_cluster leader ;;
  esac
}

bench() {  # SYSTEM OPTIONS...
  local system=$1; shift
  "$bin/decree-bench" --target "$system" --endpoints "$(endpoints_of "$system")" --keys "$keys" \
    --value-size 256 --channels 8 --warm-up "$warm_up" --duration "$seconds" --seed "$round" "$@"
}
measure() {  # SYSTEM NAME OPTIONS...
  local system=$1 name=$2; shift 2
  echo "  round $round: $system, $name"
  bench "$system" --json "$@" >"$out/$system.$name.$round.json" ||
    fail "$system failed under $name; see $out/$system.$name.$round.json"
}

# ---- What is measured ----

echo_ceiling() {
  "$bin/decree-echo" 127.0.0.1:17000 &
  echo_pid=$!
  "$bin/decree-bench" --target echo --endpoints 127.0.0.1:17000 --channels 8 --in-flight 64 --load get \
    --warm-up "$warm_up" --duration "$seconds" --json >"$out/echo.get-64.$round.json"
  kill "$echo_pid"
  wait "$echo_pid" || true
  echo_pid=
}

loads() {  # SYSTEM: on a fresh cluster, reads before writes
  cluster "$1" up >/dev/null
  bench "$1" --preload-only
  measure "$1" get-64 --load get --in-flight 64
  [ "$1" != decree ] || measure decree unary-get-64 --load get --in-flight 64 --unary
  measure "$1" stale-get-64 --load stale-get --in-flight 64
  measure "$1" mixed-64 --load mixed --in-flight 64
  measure "$1" put-1 --load put --in-flight 1
  measure "$1" put-64 --load put --in-flight 64
  measure "$1" put-256 --load put --in-flight 256
  [ "$1" != decree ] || {
    measure decree unary-put-64 --load put --in-flight 64 --unary
    measure decree unary-put-256 --load put --in-flight 256 --unary
  }
  cluster "$1" wipe
}

# How long no write succeeds after kill -9 of the leader, to a client that writes all the time.
first_write_after_kill() {  # SYSTEM
  cluster "$1" up >/dev/null
  for ((round = 1; round <= kills; round++)); do
    echo "  kill $round: $1"
    "$bin/decree-bench" --target "$1" --endpoints "$(endpoints_of "$1")" --load put --in-flight 1 \
      --channels 1 --keys 1000 --timeout 0.25 --warm-up 1 --duration 5 --json \
      >"$out/$1.kill.$round.json" &
    local load=$! leader
    sleep 2
    leader=$(leader_of "$1")
    cluster "$1" kill "$leader"
    wait "$load"
    cluster "$1" start "$leader"
    sleep 2
  done
  cluster "$1" wipe
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# Memory of the largest node after a million keys, and how long one node needs from its start to its first read.
million_keys() {  # SYSTEM
  local million=1000000 n pid resident=0 began leader follower
  echo "  a million keys: $1"
  cluster "$1" up >/dev/null
  "$bin/decree-bench" --target "$1" --endpoints "$(endpoints_of "$1")" --keys "$million" --value-size 256 \
    --channels 8 --in-flight 256 --preload-only
  for n in 1 2 3; do
    pid=$(cluster "$1" pid "$n")
    resident=$(awk -v most="$resident" '/VmRSS/ { print ($2 > most) ? $2 : most }' "/proc/$pid/status")
  done
  leader=$(leader_of "$1")
  follower=$((leader % 3 + 1))
  cluster "$1" stop "$follower"
  began=$(milliseconds)
  cluster "$1" start "$follower"
  until "$bin/decree-bench" --target "$1" --endpoints "$(endpoint_of "$1" "$follower")" --load stale-get \
    --keys 1000 --channels 1 --in-flight 1 --warm-up 0 --duration 0.01 >/dev/null 2>&1; do
    sleep 0.02
  done
  echo "{\"resident_mib\": $((resident / 1024)), \"restart_ms\": $(($(milliseconds) - began))}" \
    >"$out/$1.million.1.json"
  cluster "$1" wipe
}

etcd_cluster fetch
for ((round = 1; round <= rounds; round++)); do
  echo_ceiling
  loads decree
  loads etcd
done
first_write_after_kill decree
first_write_after_kill etcd
[ -z "$long" ] || { million_keys decree; million_keys etcd; }

"$bin/decree-bench-report" "$out" --etcd-version "$(etcd_cluster version)" >"$out/comparison.md"
cat "$out/comparison.md"
