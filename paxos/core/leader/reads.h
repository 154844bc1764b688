#pragma once
// The linearizable reads of one node: those that wait at a leader for its recovery or for a round of
// messages, and those that wait at a follower for the leader's index.
//
// Passive, single-threaded: `Replica` drives it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/leader/read_index.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

// How linearizable reads of this node's own clients were served.
struct ReadCounts {
  uint64_t under_lease = 0;       // by the leader, without a message
  uint64_t by_round = 0;          // by the leader, after a round of messages
  uint64_t at_leaders_index = 0;  // by a follower, which has asked the leader
};

// What decides how a leader serves a read.
struct LeaderView {
  Ballot ballot;
  Slot chosen_index;
  // The slots that a former leader may have had chosen are applied, so the state is current.
  bool is_current = false;
  bool holds_lease = false;
  uint64_t last_probe = 0;
};

class Reads {
 public:
  explicit Reads(const Options& options);

  // No more are taken: refuse what comes.
  bool IsFull() const;
  void Refuse(const Reader& reader, RefusedRead::Reason reason, Outbox& outbox, Output& out);

  // ---- At a leader ----

  // Serves the read at once if that needs no message.
  void AddAtLeader(const Reader& reader, const LeaderView& leader, Outbox& outbox, Output& out);
  bool AnyAtLeader() const { return !early_.empty() || unconfirmed_.size() > 0; }
  // Serves what may be served by now: a lease quorum has acknowledged `confirmed_probe`.
  void AdvanceAtLeader(const LeaderView& leader, uint64_t confirmed_probe, Outbox& outbox, Output& out);
  // Reads wait for a probe above the last one that was sent. One round serves all that came since.
  bool NeedProbe(uint64_t last_probe) const { return unconfirmed_.last_probe() > last_probe; }
  // This node leads no more.
  void RefuseAtLeader(Outbox& outbox, Output& out);

  // ---- At a follower ----

  void Ask(ReadId id) { asked_.Add(id); }
  // Begins a round for all that wait, if none is under way; the request to send to the leader.
  std::optional<ReadIndexRequest> BeginRound(Time now) { return asked_.BeginRound(now); }
  // Ends the round that this answers; false if it answers an earlier one.
  bool OnAnswer(const ReadIndexAnswer& answer, Output& out);
  void RefuseAsked(RefusedRead::Reason reason, Output& out);
  // When the round under way has taken too long; kTimeNever if there is none.
  Time AskedUntil() const;

  const ReadCounts& counts() const { return counts_; }

 private:
  void Serve(const Reader& reader, Slot index, Ballot ballot, Outbox& outbox, Output& out);
  size_t waiting() const { return early_.size() + unconfirmed_.size() + asked_.size(); }

  const size_t waiting_max_;
  const Duration patience_;
  std::vector<Reader> early_;  // that came before the leader was current
  UnconfirmedReads unconfirmed_;
  AskedReads asked_;
  ReadCounts counts_;
};

}  // namespace decree::paxos
