#include "rpc/port/file_limit.h"

#include <sys/resource.h>

#include <algorithm>

#include <glog/logging.h>

namespace decree::rpc {
namespace {

// With nine nodes, the others have 24 connections each here when all have lost the old ones and opened new ones.
constexpr uint64_t kPeers = 64;
// For the log, for gRPC and glog themselves, and for what is closed a moment after another was let in for it.
constexpr uint64_t kOthers = 160;
// What LevelDB cannot do without.
constexpr uint64_t kStoreLeast = 74;
constexpr uint64_t kClientsLeast = 32;

}  // namespace

uint64_t RaiseFileLimit() {
  rlimit limit{};
  PCHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

StatusOr<FileShares> ShareFiles(uint64_t limit, int store_wanted, size_t clients_wanted) {
  const uint64_t fixed = kOthers + 2 * kPeers;
  const uint64_t clients_least = std::min<uint64_t>(clients_wanted, kClientsLeast);
  const uint64_t store = std::max<uint64_t>(static_cast<uint64_t>(store_wanted), kStoreLeast);
  const uint64_t least = fixed + kStoreLeast + clients_least;
  if (limit < least) {
    return absl::FailedPreconditionError(StrCat("this process may have only ", limit, " files open, and needs ", least,
                                                ": raise the hard limit (ulimit -Hn; LimitNOFILE= of a systemd unit)"));
  }
  FileShares shares{.limit = limit, .peers = kPeers};
  // If there are few, LevelDB gets half of those that are free.
  const uint64_t free = limit - least;
  shares.store = static_cast<int>(std::min(store, kStoreLeast + free / 2));
  shares.clients = std::min<uint64_t>(clients_wanted, limit - fixed - static_cast<uint64_t>(shares.store));
  return shares;
}

}  // namespace decree::rpc
