#include "kv/session_owners.h"

#include <glog/logging.h>

namespace decree::kv {

template <typename Change>
void SessionOwners::Update(const std::string& owner, const Change& change) {
  const auto found = owners_.try_emplace(owner).first;
  Sessions& sessions = found->second;
  by_size_.erase({sessions.size(), owner});
  change(sessions);
  if (sessions.size() > 0) {
    by_size_.emplace(sessions.size(), owner);
  } else {
    owners_.erase(found);
  }
}

void SessionOwners::Add(const Owned& owned) {
  Update(owned.owner, [&](Sessions& sessions) {
    ByUse& kind = owned.was_used ? sessions.used : sessions.unused;
    CHECK(kind.emplace(owned.used, owned.session).second) << "session " << owned.session << " is there twice";
  });
  if (!owned.was_used) unused_.emplace(owned.used, owned.session);
}

void SessionOwners::Remove(const Owned& owned) {
  Update(owned.owner, [&](Sessions& sessions) {
    ByUse& kind = owned.was_used ? sessions.used : sessions.unused;
    CHECK_EQ(kind.erase({owned.used, owned.session}), 1u) << "session " << owned.session << " is not there";
  });
  if (!owned.was_used) unused_.erase({owned.used, owned.session});
}

std::optional<uint64_t> SessionOwners::Victim(const std::string& owner, paxos::LogTime stale) const {
  if (!unused_.empty() && unused_.begin()->first < stale) return unused_.begin()->second;
  if (by_size_.empty()) return std::nullopt;
  const auto& [size, name] = *by_size_.rbegin();
  const Sessions& greatest = owners_.at(name);
  if (!greatest.unused.empty()) return greatest.unused.begin()->second;
  const auto own = owners_.find(owner);
  const size_t then = own == owners_.end() ? 1 : own->second.size() + 1;
  if (size <= then) return std::nullopt;
  return greatest.used.begin()->second;
}

std::optional<std::pair<std::string, size_t>> SessionOwners::Greatest() const {
  if (by_size_.empty()) return std::nullopt;
  return std::pair(by_size_.rbegin()->second, by_size_.rbegin()->first);
}

}  // namespace decree::kv
