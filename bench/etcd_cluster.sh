#!/usr/bin/env bash
# Three etcd nodes on this machine, with etcd's own defaults, for bench/compare.sh.
#
#   etcd_cluster.sh --data DIR fetch        unpacks Debian's etcd there, without installing it
#   etcd_cluster.sh --data DIR up           starts what is down, and waits until all nodes are healthy
#   etcd_cluster.sh --data DIR endpoints    HOST:PORT,HOST:PORT,HOST:PORT
#   etcd_cluster.sh --data DIR leader       the number of the node that leads
#   etcd_cluster.sh --data DIR pid N | kill N | stop N | start N
#   etcd_cluster.sh --data DIR version
#   etcd_cluster.sh --data DIR wipe         stops all nodes and removes their data
#
# Node N serves clients on port 23790+N. It touches only processes that it started.
set -euo pipefail

fail() { echo "etcd_cluster.sh: $*" >&2; exit 1; }
[ $# -ge 3 ] && [ "$1" = --data ] || { sed -n '2,13p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 1; }
data=$2 command=$3 node=${4:-}
etcd=$data/debian/usr/bin/etcd

client() { echo "127.0.0.1:$((23790 + $1))"; }
peer() { echo "127.0.0.1:$((23890 + $1))"; }
endpoints() { echo "$(client 1),$(client 2),$(client 3)"; }
etcdctl() { ETCDCTL_API=3 "$data/debian/usr/bin/etcdctl" --command-timeout=2s "$@"; }

pid_of() {
  local pid since
  [ -f "$data/e$1.pid" ] || return 1
  read -r pid since <"$data/e$1.pid"
  [ "$(started_at "$pid")" = "$since" ] && echo "$pid"
}
# Nothing for a process that has ended.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }

fetch() {
  [ -x "$etcd" ] && return
  mkdir -p "$data/debian"
  (cd "$data/debian" && apt-get download -q etcd-server etcd-client >/dev/null 2>&1) ||
    fail "apt-get download etcd-server etcd-client has failed; run apt-get update as root first"
  local package
  for package in "$data"/debian/*.deb; do dpkg -x "$package" "$data/debian"; done
}

start_node() {
  pid_of "$1" >/dev/null && return
  setsid "$etcd" --name "e$1" --data-dir "$data/e$1" --logger zap --log-level error \
    --listen-client-urls "http://$(client "$1")" --advertise-client-urls "http://$(client "$1")" \
    --listen-peer-urls "http://$(peer "$1")" --initial-advertise-peer-urls "http://$(peer "$1")" \
    --initial-cluster "e1=http://$(peer 1),e2=http://$(peer 2),e3=http://$(peer 3)" \
    >>"$data/e$1.log" 2>&1 </dev/null &
  local pid=$!
  disown "$pid"
  echo "$pid $(started_at "$pid")" >"$data/e$1.pid"
}

stop_node() {
  local pid tries
  pid=$(pid_of "$1") || return 0
  kill -TERM "$pid"
  for ((tries = 0; tries < 200; tries++)); do
    pid_of "$1" >/dev/null || return 0
    sleep 0.05
  done
  fail "node $1 (pid $pid) does not stop"
}

case $command in
  fetch) fetch ;;
  up)
    fetch
    for n in 1 2 3; do start_node "$n"; done
    for ((tries = 0; tries < 150; tries++)); do
      etcdctl --endpoints "$(endpoints)" endpoint health >/dev/null 2>&1 && exit 0
      sleep 0.2
    done
    fail "not healthy within half a minute; see $data/e1.log"
    ;;
  endpoints) endpoints ;;
  leader)
    for n in 1 2 3; do
      etcdctl --endpoints "$(client "$n")" endpoint status -w simple 2>/dev/null |
        awk -F', ' -v node="$n" '$5 == "true" { print node }'
    done
    ;;
  pid) pid_of "$node" ;;
  kill) kill -KILL "$(pid_of "$node")" ;;
  stop) stop_node "$node" ;;
  start) start_node "$node" ;;
  version) "$etcd" --version | awk 'NR == 1 { print $3 }' ;;
  wipe)
    for n in 1 2 3; do
      stop_node "$n"
      rm -rf "$data/e$n" "$data/e$n.log" "$data/e$n.pid"
    done
    ;;
  *) fail "$command is no command" ;;
esac
