#!/usr/bin/env bash
# include_arrows.sh ROOT: reads every #include below ROOT and fails on one that points the wrong way.
#
#   paxos/base <- paxos/core <- paxos/log <- paxos/node <- kv <- rpc        proto <- all but core
#   paxos/base <- paxos/fs <- paxos/log, kv
#   in paxos/core: protocol <- acceptor <- proposer, learner and leader; the replica, at the top, sees all
#   in rpc: loop <- client <- cli        options <- cli and the server's wiring, at the top of rpc
#           loop <- peer <- kv, loop <- port and loop <- admin; the wiring sees all
#   bench may include all of them, and none of them bench
#
# For each folder: what it may include of ours, and what it may not include of others, as extended
# regular expressions.
set -euo pipefail

root=$1
violations=0

# check FOLDER ALLOWED-OF-OURS FORBIDDEN-OF-OTHERS
check() {
  local folder=$1 allowed=$2 forbidden=$3 found
  [[ -d $root/$folder ]] || return 0
  found=$(grep -rnE --include='*.h' --include='*.cc' '^#include "' "$root/$folder" |
    grep -vE "#include \"($allowed)" || true)
  report "$folder may include of ours only: $allowed" "$found"
  [[ -z $forbidden ]] && return 0
  found=$(grep -rnE --include='*.h' --include='*.cc' "^#include <($forbidden)" "$root/$folder" ||
    true)
  found+=$(grep -rnE --include='*.h' --include='*.cc' "^#include \"($forbidden)" "$root/$folder" ||
    true)
  report "$folder must not include: $forbidden" "$found"
}

report() {
  [[ -z $2 ]] && return 0
  violations=1
  printf '%s\n%s\n\n' "$1" "${2//$root\//}"
}

threads='thread>|future>|condition_variable>'
io='fstream>|cstdio>|unistd.h>|fcntl.h>|sys/'
grpc='grpc'
leveldb='leveldb/'
proto='google/protobuf'

check paxos/base 'paxos/base/|absl/' "$threads|$grpc|$leveldb|$proto"
check paxos/core 'paxos/(base|core)/|absl/' \
  "$threads|mutex>|$io|$grpc|$leveldb|$proto|paxos/base/posix_clock.h"
in_core() {  # ROOM ROOMS-IT-MAY-INCLUDE
  check "paxos/core/$1" "paxos/base/|paxos/core/($2)/|absl/" ""
}
in_core protocol 'protocol'
in_core acceptor 'protocol|acceptor'
in_core proposer 'protocol|acceptor|proposer'
in_core learner 'protocol|acceptor|learner'
in_core leader 'protocol|acceptor|leader'
check paxos/fs 'paxos/(base|fs)/|absl/' "$threads|$grpc|$leveldb|$proto"
check paxos/log 'paxos/(base|core|fs|log)/|absl/' "$threads|$grpc|$leveldb"
check paxos/node 'paxos/(base|core|log|node)/|absl/' "$grpc|$leveldb|$proto"
check kv 'kv/|decree/v1/|paxos/(base|fs)/|absl/|leveldb/' \
  "$grpc"
check bench 'bench/|rpc/|kv/|paxos/|decree/v1/|etcd/|absl/|grpc' ""
check rpc 'rpc/|kv/|paxos/|decree/v1/|absl/|grpc' "$leveldb"

# What stands at the top of rpc/ for all rooms.
shared='rpc/(channel_arguments|failure|leader_hint|pipelined_methods|printable|recent_problems|version)\.h|decree/v1/|absl/|grpc|paxos/base/'
check rpc/loop "rpc/loop/|$shared" "$leveldb"
check rpc/port "rpc/(port|loop)/|$shared" "$leveldb"
check rpc/peer "rpc/(loop|peer)/|paxos/|$shared" "$leveldb"
check rpc/kv "rpc/(loop|peer|kv)/|kv/|paxos/|$shared" "$leveldb"
check rpc/admin "rpc/(loop|admin)/|kv/|paxos/|$shared" "$leveldb"
check rpc/options "rpc/options/|rpc/loop/admission\.h|kv/|paxos/|$shared" "$leveldb|grpc"
check rpc/client "rpc/client/|rpc/loop/(event|tag_order)\.h|$shared" "$leveldb"
check rpc/cli "rpc/(cli|options)/|rpc/client/client\.h|$shared" "$leveldb|grpc"

exit "$violations"
