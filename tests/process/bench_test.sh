#!/usr/bin/env bash
# decree-bench as people use it: every load on a small cluster, figures that add up, clear refusals.
#   bench_test.sh REPOSITORY DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail

top=$1
export DECREE_BIN=$2
work=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
cluster() { "$top/deploy/cluster.sh" --data "$work/cluster" "$@"; }
trap 'cluster wipe || true; [ -z "${echo_pid:-}" ] || kill "$echo_pid"; rm -rf "$work"' EXIT
source "$top/tests/process/expect.sh"
bench() { timeout 60 "$DECREE_BIN/decree-bench" --keys 200 --warm-up 0.1 --duration 0.3 "$@"; }

expect 0 cluster up --base-port "$port"
endpoints=$(tail -n 1 "$work/out" | sed 's/.* //')
bench_here() { bench --endpoints "$endpoints" "$@"; }

# ---- Every load; no error, and no read of a key that is not there ----
expect 0 bench_here --preload-only
for load in put get stale-get swap modify insert mixed ycsb-a ycsb-b ycsb-c ycsb-d ycsb-f; do
  expect 0 bench_here --load "$load" --in-flight 8
  says "operations/s" && says "decreed 127.0.0.1:$port" && never_says "errors:"
  [ "$load" = ycsb-d ] || never_says "a key that is not there"
done
for load in put get stale-get swap; do
  expect 0 bench_here --load "$load" --in-flight 8 --unary
  says "operations/s" && never_says "errors:"
done
expect 0 bench_here --mix put=1,get=3 --read stale --preload
says "stale-get"

# ---- Figures that add up ----
expect 0 bench_here --load put --in-flight 4 --rate 200 --json --plot "$work/plot.svg"
says '"target": "decree"' && says '"rate": 200' && says '"errors": {}'
grep -q '<polyline' "$work/plot.svg" || fail "the plot has no line"
revision() {  # of the node that is furthest
  "$DECREE_BIN/decree" status --json --endpoints "$endpoints" | grep -o '"revision":[0-9]*' | cut -d: -f2 |
    sort -n | tail -n 1
}
before=$(revision)
expect 0 bench_here --load put --warm-up 0 --in-flight 4 --json
done_count=$(grep -m1 -o '"operations": [0-9]*' "$work/out" | tr -dc 0-9)
written=$(($(revision) - before))
# What was in flight at the end was answered later.
[ "$written" -ge "$done_count" ] && [ "$written" -le $((done_count + 4)) ] ||
  fail "$done_count puts were counted, and the revision rose by $written"

# ---- A node fewer ----
"$DECREE_BIN/decree" status --json --endpoints "$endpoints" >"$work/status"
leader=$(grep -o '"leader":[1-9]' "$work/status" | head -n 1 | cut -d: -f2)
bench_here --load put --in-flight 2 --duration 4 --timeout 0.3 --json >"$work/killed" &
load=$!
sleep 1
cluster kill "$leader"
wait "$load" || fail "no put succeeded"
grep -q '"UNAVAILABLE"\|"DEADLINE_EXCEEDED"' "$work/killed" || { cat "$work/killed" "$work/status"; fail "the death of node $leader, the leader, was not noticed"; }
grep -A4 '"over_time"' "$work/killed" | grep -q done || fail "nothing over time"
cluster start "$leader"

# ---- The echo server ----
"$DECREE_BIN/decree-echo" "127.0.0.1:$((port + 50))" &
echo_pid=$!
expect 0 bench --target echo --endpoints "127.0.0.1:$((port + 50))" --load get
says "get on echo" && says "decree-echo 127.0.0.1"
kill "$echo_pid" && wait "$echo_pid" || fail "decree-echo does not end in order"
echo_pid=

# ---- What makes no sense ----
expect 2 bench_here --load everything && says "no load" && says "ycsb-f"
expect 2 bench_here --mix put && says "KIND=SHARE"
expect 2 bench_here --in-flight 0 && says "in-flight is 0"
expect 2 bench_here --key-size 5 && says "from 16 to 4096"
expect 105 bench_here --target redis
expect 2 bench --endpoints nowhere && says '"nowhere" is not of the form HOST:PORT'
expect 1 bench --endpoints "127.0.0.1:$((port + 60))" && says "no connection to 127.0.0.1:$((port + 60))"
echo "all as expected"
