#!/usr/bin/env bash
# A Decree cluster of local nodes, for trying things out.
#
#   cluster.sh up [--nodes 3|5]   format what is new, start what is down, wait until there is a leader
#   cluster.sh down               stop all nodes (SIGTERM)
#   cluster.sh status             the state of every node
#   cluster.sh stop N | start N   stop one node properly | start it again
#   cluster.sh roll               restart the nodes one by one, the leader last; no request fails
#   cluster.sh kill N             SIGKILL one node
#   cluster.sh pause N | resume N SIGSTOP | SIGCONT
#   cluster.sh logs N | pid N     the end of a node's log | its process id
#   cluster.sh wipe               stop all nodes and remove their data
#
# Options, before or after the command:
#   --data DIR       where the nodes live (default: ${XDG_STATE_HOME:-~/.local/state}/decree)
#   --base-port P    clients on P, P+1, ..., peers on P+100, ... (default: 7001; remembered by `up`)
#   --config FILE    of `up` and `roll`: a TOML file. `nodes = 5` and `base-port = 8001` are as above; what
#                    follows a line [decreed] are options of every node, in force from its next start on
#
# Without --base-port node N serves clients on port 7000+N and peers on 7100+N. It touches only processes that it started.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${DECREE_BIN:-$top/build/bin}
data=${XDG_STATE_HOME:-$HOME/.local/state}/decree
nodes=
base_port=
config=
words=()

fail() { echo "cluster.sh: $*" >&2; exit 1; }
usage() { sed -n '2,20p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; exit "$1"; }

while [ $# -gt 0 ]; do
  case $1 in
    --data) [ $# -ge 2 ] || fail "--data needs a directory"; data=$2; shift 2 ;;
    --nodes) [ $# -ge 2 ] || fail "--nodes needs a number"; nodes=$2; shift 2 ;;
    --base-port) [ $# -ge 2 ] || fail "--base-port needs a number"; base_port=$2; shift 2 ;;
    --config) [ $# -ge 2 ] || fail "--config needs a file"; config=$2; shift 2 ;;
    -h|--help) usage 0 ;;
    -*) fail "$1 is no option; see cluster.sh --help" ;;
    *) words+=("$1"); shift ;;
  esac
done

# ---- What is remembered of a cluster: its size and its ports ----

remembered=$data/cluster
options=$data/decreed.toml
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
# Takes nodes and base-port from the file, where no flag gives them, and keeps the nodes' options.
read_config() {
  [ -n "$config" ] || return 0
  [ -f "$config" ] && [ -r "$config" ] || fail "$config: cannot be read; it should be a TOML file"
  local number=0 line
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    case $line in
      '[decreed]'*) break ;;
    esac
    if [[ $line =~ ^[[:space:]]*(#.*)?$ ]]; then
      continue
    elif [[ $line =~ ^(nodes|base-port)[[:space:]]*=[[:space:]]*([0-9]+)[[:space:]]*(#.*)?$ ]]; then
      case ${BASH_REMATCH[1]} in
        nodes) nodes=${nodes:-${BASH_REMATCH[2]}} ;;
        base-port) base_port=${base_port:-${BASH_REMATCH[2]}} ;;
      esac
    else
      fail "$config, line $number: \"$line\" is not allowed; allowed are nodes and base-port, a number each," \
           "and options of the nodes behind a line [decreed]"
    fi
  done <"$config"
  mkdir -p "$data"
  # Line numbers stay as they are in the file, for what is said about them.
  awk 'is_nodes { print; next } { print "#" } /^\[decreed\]/ { is_nodes = 1 }' "$config" >"$options.new"
  "$bin/decreed" serve --data "$data" --config "$options.new" --print-config >/dev/null ||
    { rm -f "$options.new"; fail "$config: the options above are refused"; }
  mv "$options.new" "$options"
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

is_listening() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; }
need_port() {
  ! is_listening "$1" ||
    fail "node $2 needs port ${1#*:}, and another process has it (\`ss -ltnp\` tells which);" \
         "end that one, or give the cluster another --base-port"
}

# Returns when it serves.
start_node() {
  pid_of "$1" >/dev/null && return
  need_port "$(client_address "$1")" "$1"
  need_port "$(peer_address "$1")" "$1"
  local arguments=(--data "$data/n$1")
  [ ! -f "$options" ] || arguments+=(--config "$options")
  setsid "$bin/decreed" serve "${arguments[@]}" >>"$data/n$1.log" 2>&1 </dev/null &
  local pid=$!
  disown "$pid"
  echo "$pid $(started_at "$pid")" >"$data/n$1.pid"
  until is_listening "$(client_address "$1")"; do
    pid_of "$1" >/dev/null || { tail -n 3 "$data/n$1.log" >&2; fail "node $1 did not start"; }
    sleep 0.05
  done
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

# A number of one node's status; nothing if it does not answer.
number_of() {  # NODE FIELD
  "$bin/decree" --endpoints "$(client_address "$1")" --timeout 2 status --json 2>/dev/null |
    grep -o "\"$2\":[0-9]*" | head -n 1 | cut -d: -f2
}
leader() {
  local n
  for ((n = 1; n <= nodes; n++)); do
    [ "$(number_of "$n" leader)" != "$n" ] || { echo "$n"; return; }
  done
  fail "no node leads; see: cluster.sh status"
}
# Everybody is there, and the node has applied what was chosen when it was asked first.
wait_until_caught_up() {  # NODE SLOT
  local tries applied
  for ((tries = 0; tries < 600; tries++)); do
    applied=$(number_of "$1" applied_index || true)
    [ "${applied:-0}" -ge "$2" ] && [ "$(number_of "$1" leader)" != 0 ] &&
      [ "$(number_of "$1" peers_connected)" = $((nodes - 1)) ] && return
    sleep 0.1
  done
  fail "node $1 has not caught up within a minute; see: cluster.sh status"
}
roll_node() {
  local chosen
  stop_node "$1"
  start_node "$1"
  chosen=$(number_of "$(leader)" chosen_index)
  wait_until_caught_up "$1" "$chosen"
  echo "node $1 is back"
}
roll() {
  local n last
  for ((n = 1; n <= nodes; n++)); do
    need_pid "$n" >/dev/null
    wait_until_caught_up "$n" 0
  done
  last=$(leader)
  for ((n = 1; n <= nodes; n++)); do [ "$n" = "$last" ] || roll_node "$n"; done
  roll_node "$last"
}

# ---- Commands ----

[ -x "$bin/decreed" ] && [ -x "$bin/decree" ] || fail "decreed and decree are not in $bin; build first: cmake -B build && cmake --build build -j2"
[ ${#words[@]} -ge 1 ] || usage 1

case ${words[0]} in
  up)
    read_config
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
  roll) read_config; need_cluster; roll ;;
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
    rm -f "$remembered" "$options"
    rmdir "$data" 2>/dev/null || true
    ;;
  *) fail "${words[0]} is no command; see cluster.sh --help" ;;
esac
