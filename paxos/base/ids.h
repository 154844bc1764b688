#pragma once
// The names of things that every layer speaks of.

#include <cstdint>

#include "paxos/base/strong_int.h"

namespace decree::paxos {

// A member of the cluster; 0 is "none".
using NodeId = StrongInt<struct NodeIdTag, uint32_t>;
// A position in the log, one instance of Paxos. The first is 1, 0 is "none".
using Slot = StrongInt<struct SlotTag, uint64_t>;
// The replicated log that a record or message belongs to. There is one, group 0; the number stands in
// every format so that there can be more.
using GroupId = StrongInt<struct GroupIdTag, uint32_t>;
// Nanoseconds of log time: it passes only while there is a leader, and never goes back. Everything
// in the state machine that expires does so by this clock.
using LogTime = StrongInt<struct LogTimeTag, uint64_t>;

inline constexpr NodeId kNoNode{0};
inline constexpr Slot kNoSlot{0};
inline constexpr Slot kFirstSlot{1};
inline constexpr GroupId kGroup{0};

}  // namespace decree::paxos
