#pragma once
// The owners of the sessions, and the choice of the session that goes when another is opened and there is no room:
// nobody can take what all share.
//
// The node that took the request names the owner, today by address; the name travels in the command. This is part of
// the replicated state, so all replicas choose alike.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "paxos/base/ids.h"

namespace decree::kv {

class SessionOwners {
 public:
  // What the choice depends on.
  struct Owned {
    std::string owner;
    uint64_t session = 0;
    paxos::LogTime used;
    bool was_used = false;  // false: it was opened, then, and that is all
  };

  void Add(const Owned& owned);
  // Takes the session as it was added.
  void Remove(const Owned& owned);

  // The session that makes room for one more of this owner; nothing if the owner has its share and all others are
  // in use. It is
  //
  //   the oldest that was opened before `stale` and never used, whoever owns it
  //   else, of the owner with the most sessions: the oldest that was never used; or, if that owner has more than this
  //   one would have, the one that was used the longest time ago
  std::optional<uint64_t> Victim(const std::string& owner, paxos::LogTime stale) const;

  // The owner with the most sessions, and how many it has; nothing if there are no sessions.
  std::optional<std::pair<std::string, size_t>> Greatest() const;

 private:
  using ByUse = std::set<std::pair<paxos::LogTime, uint64_t>>;
  struct Sessions {
    ByUse unused;
    ByUse used;
    size_t size() const { return unused.size() + used.size(); }
  };

  // Applies `change` to the owner's sessions.
  template <typename Change>
  void Update(const std::string& owner, const Change& change);

  std::map<std::string, Sessions> owners_;
  std::set<std::pair<size_t, std::string>> by_size_;
  ByUse unused_;  // everybody's
};

}  // namespace decree::kv
