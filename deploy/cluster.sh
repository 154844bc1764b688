#!/usr/bin/env bash
# A Decree cluster of local nodes, for trying things out.
#
#   cluster.sh up [--nodes 3|5]   format what is new, start what is down, wait until there is a leader
#   cluster.sh down               stop all nodes (SIGTERM)
#   cluster.sh status             how every node does
#   cluster.sh stop N | start N   stop one node properly | start it again
#   cluster.sh kill N             SIGKILL one node
#   cluster.sh pause N | resume N SIGSTOP | SIGCONT
#   cluster.sh logs N | pid N     the end of a node's log | its process
#   cluster.sh wipe               stop all nodes and remove their data
#
# Options, before or after the command:
#   --data DIR       where the nodes live (default: ${XDG_STATE_HOME:-~/.local/state}/decree)
#   --base-port P    clients on P, P+1, ..., peers on P+100, ... (default: 7001; remembered by `up`)
#
# Node N serves clients on port 7000+N and peers on 7100+N. It touches only processes that it started.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${DECREE_BIN:-$top/build/bin}
data=${XDG_STATE_HOME:-$HOME/.local/state}/decree
nodes=
base_port=
words=()

fail() { echo "cluster.sh: $*" >&2; exit 1; }
usage() { sed -n '2,17p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; exit "$1"; }

while [ $# -gt 0 ]; do
  case $1 in
    --data) [ $# -ge 2 ] || fail "--data needs a directory"; data=$2; shift 2 ;;
    --nodes) [ $# -ge 2 ] || fail "--nodes needs a number"; nodes=$2; shift 2 ;;
    --base-port) [ $# -ge 2 ] || fail "--base-port needs a number"; base_port=$2; shift 2 ;;
    -h|--help) usage 0 ;;
    -*) fail "$1 is no option; see cluster.sh --help" ;;
    *) words+=("$1"); shift ;;
  esac
done

# ---- What is remembered of a cluster: its size and its ports ----

remembered=$data/cluster
remember() {
  mkdir -p "$data"
  printf '%s %s\n' "$nodes" "$base_port" >"$remembered"
}
recall() {
  [ -f "$remembered" ] || return 1
  local known_nodes known_port
  read -r known_nodes known_port <"$remembered"
  [ -z "$nodes" ] || [ "$nodes" = "$known_nodes" ] ||
    fail "$data holds a cluster of $known_nodes nodes, not $nodes; \`cluster.sh wipe\` removes it"
  [ -z "$base_port" ] || [ "$base_port" = "$known_port" ] ||
    fail "$data holds a cluster on port $known_port, not $base_port; \`cluster.sh wipe\` removes it"
  nodes=$known_nodes base_port=$known_port
}
need_cluster() { recall || fail "there is no cluster in $data; \`cluster.sh up\` makes one"; }

client_address() { echo "127.0.0.1:$((base_port + $1 - 1))"; }
peer_address() { echo "127.0.0.1:$((base_port + 100 + $1 - 1))"; }
endpoints() {
  local list= n
  for ((n = 1; n <= nodes; n++)); do list+=${list:+,}$(client_address "$n"); done
  echo "$list"
}
decree() { "$bin/decree" --endpoints "$(endpoints)" "$@"; }

# ---- Processes, by pid and start time: a number that was given to another process is not ours ----

# Nothing for a process that has ended, also if nobody has collected its status yet.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }
pid_of() {
  local pid since
  [ -f "$data/n$1.pid" ] || return 1
  read -r pid since <"$data/n$1.pid"
  [ "$(started_at "$pid")" = "$since" ] && echo "$pid"
}
need_node() {
  [ ${#words[@]} -eq 2 ] || fail "${words[0]} needs the number of a node"
  [[ ${words[1]} =~ ^[1-9]$ ]] && [ "${words[1]}" -le "$nodes" ] ||
    fail "there is no node ${words[1]}; the cluster has nodes 1 to $nodes"
}
need_pid() { pid_of "$1" || fail "node $1 is not running"; }

format_node() {
  [ -d "$data/n$1" ] && [ -f "$data/n$1/log/identity" ] && return
  local members=() n
  for ((n = 1; n <= nodes; n++)); do
    members+=(--member "$n=$(peer_address "$n"),$(client_address "$n")")
  done
  "$bin/decreed" init --data "$data/n$1" --cluster local --node "$1" "${members[@]}"
}

start_node() {
  pid_of "$1" >/dev/null && return
  setsid "$bin/decreed" serve --data "$data/n$1" >>"$data/n$1.log" 2>&1 </dev/null &
  local pid=$!
  disown "$pid"
  echo "$pid $(started_at "$pid")" >"$data/n$1.pid"
  sleep 0.2
  pid_of "$1" >/dev/null || { tail -n 3 "$data/n$1.log" >&2; fail "node $1 did not start"; }
}

stop_node() {
  local pid tries
  pid=$(pid_of "$1") || return 0
  kill -CONT "$pid" && kill -TERM "$pid"
  for ((tries = 0; tries < 100; tries++)); do
    pid_of "$1" >/dev/null || return 0
    sleep 0.05
  done
  fail "node $1 (pid $pid) does not stop"
}

wait_for_leader() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    decree status --json 2>/dev/null | grep -q '"role":"leader"' && return
    sleep 0.1
  done
  fail "no leader within ten seconds; see: cluster.sh logs 1"
}

# ---- Commands ----

[ -x "$bin/decreed" ] || fail "$bin/decreed is missing; build first: cmake -B build && cmake --build build -j2"
[ ${#words[@]} -ge 1 ] || usage 1

case ${words[0]} in
  up)
    recall || { nodes=${nodes:-3}; base_port=${base_port:-7001}; }
    [ "$nodes" = 3 ] || [ "$nodes" = 5 ] || fail "a cluster has 3 or 5 nodes, not $nodes"
    remember
    for ((n = 1; n <= nodes; n++)); do format_node "$n"; done
    for ((n = 1; n <= nodes; n++)); do start_node "$n"; done
    wait_for_leader
    echo "The cluster is up: $(endpoints)"
    ;;
  down)
    need_cluster
    for ((n = 1; n <= nodes; n++)); do stop_node "$n"; done
    ;;
  status) need_cluster; decree status ;;
  kill) need_cluster; need_node; kill -KILL "$(need_pid "${words[1]}")" ;;
  stop) need_cluster; need_node; stop_node "${words[1]}" ;;
  start) need_cluster; need_node; start_node "${words[1]}" ;;
  pause) need_cluster; need_node; kill -STOP "$(need_pid "${words[1]}")" ;;
  resume) need_cluster; need_node; kill -CONT "$(need_pid "${words[1]}")" ;;
  pid) need_cluster; need_node; need_pid "${words[1]}" ;;
  logs) need_cluster; need_node; tail -n 50 "$data/n${words[1]}.log" ;;
  wipe)
    recall || exit 0
    for ((n = 1; n <= nodes; n++)); do
      stop_node "$n"
      rm -rf "$data/n$n" "$data/n$n.log" "$data/n$n.pid"
    done
    rm -f "$remembered"
    rmdir "$data" 2>/dev/null || true
    ;;
  *) fail "${words[0]} is no command; see cluster.sh --help" ;;
esac
