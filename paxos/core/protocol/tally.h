#pragma once
// Counts distinct nodes towards a quorum: a message that arrives twice is one vote.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "paxos/base/planted_bug.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Tally {
 public:
  // False if the node has been counted before.
  bool Add(NodeId node) {
    if (Contains(node) && !IsPlanted(PlantedBug::kDuplicateVoteCounts)) return false;
    nodes_.push_back(node);
    return true;
  }
  bool Contains(NodeId node) const { return std::find(nodes_.begin(), nodes_.end(), node) != nodes_.end(); }
  uint32_t count() const { return static_cast<uint32_t>(nodes_.size()); }

 private:
  std::vector<NodeId> nodes_;  // a handful; order of arrival
};

}  // namespace decree::paxos
