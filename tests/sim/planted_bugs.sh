#!/usr/bin/env bash
# planted_bugs.sh PATH-TO-DECREE-SIM: breaks one rule after another on purpose and demands that the
# simulator finds each. The program must have been built with -DDECREE_PLANTED_BUGS=ON.
set -euo pipefail

sim=$1
seeds_max=${SEEDS_MAX:-3000}
seconds_max=${SECONDS_MAX:-600}
missed=0

for bug in $("$sim" --plant list); do
  found=
  # 3 nodes find most; flexible quorums and longer chains of leaders need 5, quorums that differ in more 7.
  for nodes in 3 5 7; do
    log=$(mktemp)
    if ! timeout "$seconds_max" "$sim" --plant "$bug" --nodes "$nodes" --runs "$seeds_max" \
        --jobs "$(nproc)" >"$log" 2>&1; then
      command=$(grep -m1 -o 'decree-sim --seed .*' "$log" || true)
    else
      command=
    fi
    cause=$(grep -m1 -o 'Check failed: .*\|F[0-9]* .*' "$log" | cut -c1-160 || true)
    rm -f "$log"
    if [[ -n $command ]]; then
      found=1
      echo "found   $bug: $command"
      echo "        $cause"
      break
    fi
  done
  if [[ -z $found ]]; then
    echo "MISSED  $bug"
    missed=1
  fi
done
exit "$missed"
