#pragma once
// Catching up: finds a peer that has the chosen slots which this node lacks, and fetches them from it.
//
//   idle ──somebody knows more──► waiting ──patience──► streaming ──all there──► idle
//                                    ▲                      │
//                                    └──no answer, another source
//
// Any peer that has named a higher chosen index will do, for any of them may be dead, or have lost its disk:
// the leader first, and whoever did not answer last. One stream at a time; its answers carry entries one
// after the other, large ones in parts, in the order of the log (rule 4: what is known to be chosen has no
// gaps).
//
// Passive and single-threaded; `Learner` owns it and says what is chosen here.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/learner/fetch_window.h"
#include "paxos/core/protocol/entry_assembly.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class CatchUp {
 public:
  CatchUp(const Options& options, Slot chosen_index);

  // A peer says, in this life of it, what it knows to be chosen, and can supply above its trim point.
  void OnNamed(NodeId peer, Life life, Slot chosen_index, Slot trim_point, Time now);
  // This node's leader; asked before others.
  void Prefer(NodeId leader) { preferred_ = leader; }
  // There may be a gap: fetches from then on, unless it has closed by itself.
  void BeginBy(Time time);
  // Takes an answer in. Returns what is complete now, in slot order; whoever takes it says so by the next
  // Pump's chosen index.
  std::vector<SlotEntry> OnAnswer(NodeId from, const FetchAnswer& answer, Time now);
  // Fetches nothing until the next BeginBy; what is still on its way is not taken in.
  void Stop();
  // Does what is due: begins, goes on, asks again, asks another.
  void Pump(Slot chosen_index, Time now, Outbox& outbox);

  // What has been put aside because something before it is missing.
  uint64_t early_bytes() const { return early_bytes_; }
  // The highest slot that somebody said is chosen.
  Slot target() const;
  // When Pump has something to do; kTimeNever if it has not.
  Time NextDeadline() const { return IsStreaming() ? ask_again_at_ : begin_at_; }

 private:
  struct Peer {
    Life life;
    Slot chosen_index;
    Slot trim_point;
    Time heard = Time::min();       // when it last said so
    Time failed = Time::min();      // when it last left us without an answer
    uint32_t failures = 0;          // since it last answered
    Time not_before = Time::min();  // it is not asked again: the answer may just take longer
  };

  bool IsStreaming() const { return source_ != kNoNode; }
  // Has what comes after the chosen index.
  static bool CanSupply(const Peer& peer, Slot chosen_index);
  // kNoNode if there is nobody to be asked now.
  NodeId ChooseSource(Slot chosen_index, Time now) const;
  // When there will be; kTimeNever if nobody can supply what is missing.
  Time NextChoice(Slot chosen_index) const;
  void Begin(NodeId source, Slot chosen_index, Time now, Outbox& outbox);
  // How long the next answer may take.
  Duration Patience() const;
  // The first wait, doubled so often.
  Duration Doubled(uint32_t times) const;
  // Nobody can lead where an answer takes longer than an election timeout.
  Duration PatienceMax() const;
  void Ask(Slot chosen_index, Time now, Outbox& outbox);
  void OnTimeout(Slot chosen_index, Time now, Outbox& outbox);
  // The source is of no use: the next one is asked.
  void GiveUpSource(Time now);
  void End();
  void DropEarly();
  // Puts it aside until what precedes it is there.
  void Keep(const FetchAnswer& answer);
  // False if it does not follow on what is there.
  bool Append(const FetchAnswer& answer, std::vector<SlotEntry>& ready);
  bool AppendPart(const EntryPart& part, std::vector<SlotEntry>& ready);

  const Options options_;
  const Slot at_start_;
  std::map<NodeId, Peer> peers_;
  NodeId preferred_;
  Time begin_at_ = kTimeNever;  // while nothing is fetched

  // ---- The stream ----

  NodeId source_;  // none: nothing is fetched
  NodeId last_source_;
  uint64_t stream_ = 0;  // of the last
  uint64_t number_ = 0;  // of the last Fetch
  Slot last_slot_;       // that was asked for
  LogPosition next_;     // what comes next
  uint64_t received_ = 0;
  uint64_t credit_ = 0;
  // By `sent`: what came before that which precedes it; a window at most.
  std::map<uint64_t, FetchAnswer> early_;
  uint64_t early_bytes_ = 0;
  EntryAssembly partial_;

  FetchWindow window_;
  Time ask_again_at_ = kTimeNever;
  Time asked_at_;             // when the stream began
  bool is_answered_ = false;  // by this source, since the stream began
  uint32_t timeouts_ = 0;     // since anybody answered
};

}  // namespace decree::paxos
