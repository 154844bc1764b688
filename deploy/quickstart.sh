#!/usr/bin/env bash
# From a bare Debian 12, as root or with sudo, to a running cluster of three nodes with real data in it.
# Every step is checked; run it again, and it does the same on the cluster that is there.
# Options go to cluster.sh: --data DIR, --base-port P.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
options=("$@")
cluster() { "$top/deploy/cluster.sh" "${options[@]}" "$@"; }
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "quickstart.sh: $*" >&2; exit 1; }

step "1. Install what is missing, and build"
"$top/deploy/packages.sh"
cmake -S "$top" -B "$top/build" >/dev/null
cmake --build "$top/build" -j2 --target decreed decree | tail -n 1
export PATH=$top/build/bin:$PATH

step "2. Start three nodes"
up=$(cluster up --nodes 3)
echo "$up"
DECREE_ENDPOINTS=${up##* }
export DECREE_ENDPOINTS
IFS=, read -ra endpoints <<<"$DECREE_ENDPOINTS"
decree status

step "3. Import the packages of this machine: name and version"
packages=$(mktemp)
answers=$(mktemp)
trap 'rm -f "$packages" "$answers"' EXIT
dpkg-query -W -f='${Package}\t${Version}\n' | sort -u -t $'\t' -k1,1 >"$packages"
decree import "$packages"

# Reads every key back from one node and compares.
compare() {
  cut -f1 "$packages" | xargs decree get --endpoints "$@" -- >"$answers"
  diff "$packages" "$answers" || fail "the lines above are not as they were imported, at $1"
  echo "$1: all $(wc -l <"$packages") keys are as they were imported"
}

step "4. Read every key back from every node"
for endpoint in "${endpoints[@]}"; do compare "$endpoint"; done

step "5. Compare and swap: one that succeeds, and one that is refused"
decree put quickstart/colour blue
decree cas quickstart/colour green --expect blue
code=0
decree cas quickstart/colour red --expect blue || code=$?
[ "$code" -eq 4 ] || fail "the second swap should have been refused with 4, and ended with $code"

step "6. Kill the leader, and write through the survivors"
leader=$(decree status --json | grep -o '"leader":[0-9]*' | head -n 1 | cut -d: -f2)
echo "node $leader leads; kill -9"
cluster kill "$leader"
began=$(date +%s%N)
# The write that finds the leader gone is answered, or surely not carried out, and tried again.
until decree put quickstart/survived "the death of node $leader"; do sleep 0.1; done
echo "written $((($(date +%s%N) - began) / 1000000)) ms after the kill"
for ((n = 1; n <= 3; n++)); do
  [ "$n" -eq "$leader" ] || compare "${endpoints[n - 1]}"
done

step "7. Start node $leader again, and see it catch up"
cluster start "$leader"
index_of() {
  decree status --json --endpoints "$1" | grep -o '"applied_index":[0-9]*' | cut -d: -f2
}
others=$((leader % 3))  # the index of another node
for ((tries = 0; tries < 100; tries++)); do
  mine=$(index_of "${endpoints[leader - 1]}" || true)
  theirs=$(index_of "${endpoints[others]}")
  [ "$mine" = "$theirs" ] && break
  sleep 0.1
done
[ "$mine" = "$theirs" ] || fail "node $leader is at slot $mine, the others at $theirs"
echo "node $leader has applied slot $mine, like the others"
compare "${endpoints[leader - 1]}" --read stale
decree status

step "The cluster is running. What to try next:"
cat <<TEXT
  export PATH=$top/build/bin:\$PATH DECREE_ENDPOINTS=$DECREE_ENDPOINTS
  decree put greeting hello          decree get greeting
  decree cas greeting hi --expect hello
  decree status                      $top/deploy/cluster.sh --help
  $top/deploy/cluster.sh down        (or wipe, which removes the data)
TEXT
