#!/usr/bin/env bash
# include_arrows_test.sh SCRIPT: plants wrong arrows in a tree of its own and demands that the script
# objects to each, and to nothing in a tree without them.
set -euo pipefail

script=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/paxos/{base,core/{protocol,acceptor,learner},fs,log,node} "$tree"/kv "$tree"/rpc/{loop,peer,kv,admin,options,client,cli}

# expect good|bad FILE INCLUDE
expect() {
  local want=$1 file=$tree/$2 include=$3 got=good
  echo "#include $include" >"$file"
  "$script" "$tree" >/dev/null || got=bad
  rm "$file"
  [[ $got == "$want" ]] && return 0
  echo "$2 with #include $include: it says $got, expected $want"
  exit 1
}

expect good paxos/core/a.h '"paxos/base/time.h"'
expect good paxos/log/a.cc '"paxos/fs/file_system.h"'
expect good kv/a.cc '"paxos/fs/file_system.h"'
expect bad paxos/core/a.cc '"paxos/fs/file_system.h"'
expect good paxos/core/learner/a.h '"paxos/core/acceptor/acceptor.h"'
expect bad paxos/core/acceptor/a.h '"paxos/core/learner/learner.h"'
expect bad paxos/core/protocol/a.cc '"paxos/core/replica.h"'
expect bad paxos/fs/a.cc '"paxos/log/segment_log.h"'
expect good paxos/node/a.h '<thread>'
expect good kv/a.cc '"leveldb/db.h"'
expect good rpc/a.cc '<grpcpp/grpcpp.h>'
expect good rpc/server.cc '"rpc/kv/kv_service.h"'
expect good rpc/kv/a.cc '"rpc/failure.h"'
expect good rpc/cli/a.cc '"rpc/client/client.h"'
expect bad paxos/base/a.h '"paxos/core/protocol/types.h"'
expect bad paxos/core/a.cc '"paxos/log/segment_log.h"'
expect bad paxos/core/a.cc '"decree/v1/peer.pb.h"'
expect bad paxos/core/a.cc '<thread>'
expect bad paxos/core/a.cc '<fstream>'
expect bad paxos/core/a.cc '"paxos/base/posix_clock.h"'
expect bad paxos/node/a.cc '"kv/store.h"'
expect bad kv/a.cc '"rpc/server.h"'
expect bad kv/a.cc '"paxos/core/protocol/entry.h"'
expect bad kv/a.cc '<grpcpp/grpcpp.h>'
expect bad rpc/loop/a.cc '"rpc/kv/kv_service.h"'
expect bad rpc/peer/a.cc '"rpc/kv/kv_service.h"'
expect bad rpc/kv/a.cc '"rpc/server.h"'
expect bad rpc/admin/a.cc '"rpc/kv/kv_service.h"'
expect bad rpc/options/a.cc '<grpcpp/grpcpp.h>'
expect bad rpc/client/a.cc '"rpc/loop/event_loop.h"'
expect bad rpc/cli/a.cc '"rpc/client/client_core.h"'
