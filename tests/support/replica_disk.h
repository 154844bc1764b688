#pragma once
// The disk of a replica that a test drives: takes what is to be durable, and tells what a restart finds.

#include <map>
#include <utility>
#include <vector>

#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/record.h"

namespace decree::check {

class ReplicaDisk {
 public:
  // The replica of a cluster that was founded so; formatted, and empty.
  explicit ReplicaDisk(paxos::Configuration founding = {}) : founding_(std::move(founding)) {}

  void Persist(const paxos::RecordBatch& batch);

  // What a process finds whose state machine has applied all slots up to `applied`.
  paxos::RecoveredState Recover(paxos::Slot applied) const;
  // The entries that are asked for, slot after slot, as far as they are there and fit.
  std::vector<paxos::SlotEntry> Read(const paxos::LogRead& read) const;
  paxos::Ballot promised() const { return promised_; }
  const paxos::Configuration& founding() const { return founding_; }

 private:
  void PersistRecord(const paxos::Record& record);
  // The configuration that governs the slot after `applied`.
  paxos::Configuration ConfigurationAfter(paxos::Slot applied) const;

  paxos::Configuration founding_;
  paxos::Ballot promised_;
  std::map<paxos::Slot, paxos::Vote> votes_;  // the newest record of each slot
  paxos::Slot chosen_index_;
  paxos::Roster roster_;
};

}  // namespace decree::check
