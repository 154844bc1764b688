#pragma once
// The machine's own file system, for LevelDB.
//
// Tables are read with pread. LevelDB's default maps them: then a store's whole size may count as the
// node's memory, and a disk that cannot be read ends it by a signal, without a word of what and where.

#include "kv/no_wal_env.h"

namespace decree::kv {

Disk PosixDisk();

}  // namespace decree::kv
