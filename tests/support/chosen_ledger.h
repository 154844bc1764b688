#pragma once
// Remembers what was chosen in each slot, as any node has ever told, across crashes: a second value
// for a slot stops the program. ("Paxos Made Simple", §2.1: only a single value is chosen.)

#include <map>

#include <glog/logging.h>

#include "paxos/core/entry.h"
#include "paxos/core/types.h"

namespace decree::check {

class ChosenLedger {
 public:
  void Note(paxos::Slot slot, const paxos::EntryPtr& entry, paxos::NodeId witness) {
    const auto [known, is_new] = chosen_.try_emplace(slot, entry);
    CHECK(is_new || known->second == entry || *known->second == *entry)
        << "two values were chosen: slot=" << slot << " known: " << *known->second << ", n" << witness
        << " has: " << *entry;
  }

  // Null if nobody has told yet.
  paxos::EntryPtr Find(paxos::Slot slot) const {
    const auto found = chosen_.find(slot);
    return found == chosen_.end() ? nullptr : found->second;
  }
  size_t size() const { return chosen_.size(); }

 private:
  std::map<paxos::Slot, paxos::EntryPtr> chosen_;
};

}  // namespace decree::check
