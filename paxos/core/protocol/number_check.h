#pragma once
// Whether the numbers that a peer names may be taken in at all.
//
// No peer, however faulty, may use up what has to last, nor have this process do work without bounds. The table
// "What a peer may say" in paxos/README.md lists every field, and who checks it: the codec what can be told from
// the message alone, this file what depends on what is known here. Free of state.

#include "paxos/base/status.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

struct KnownNumbers {
  uint64_t round = 0;       // the highest that was heard of
  size_t window_slots = 0;  // so far above an acceptor's chosen index its votes reach
};

// How far above the highest known one a round may lie. No cluster elects so often, whoever was away.
inline constexpr uint64_t kRoundStepMax = uint64_t{1} << 32;

// A promise as it is told to one who has named `asked`, a ballot of its own: no higher than it takes in. Were honest
// nodes ever further apart, they would refuse each other for ever; so they come together step by step.
Ballot WithinStep(Ballot promised, Ballot asked);

// Else what is wrong; then the message must change nothing.
Status CheckNumbers(const Message& message, const KnownNumbers& known);

}  // namespace decree::paxos
