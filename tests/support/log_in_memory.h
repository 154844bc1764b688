#pragma once
// A log in memory; it survives the nodes that are started on it.

#include <algorithm>
#include <map>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "paxos/log/segment_log.h"
#include "tests/support/core_fixture.h"

namespace decree::check {

class LogInMemory final : public paxos::SegmentLog {
 public:
  LogInMemory(uint32_t node, paxos::Configuration founding)
      : identity_{.cluster = "test",
                  .node = paxos::NodeId(node),
                  .incarnation = paxos::Self(node).incarnation,
                  .founding = std::move(founding)} {}

  const paxos::LogIdentity& identity() const override { return identity_; }
  const paxos::RecoveredLog& recovered() const override { return recovered_; }
  void Append(std::span<const paxos::RecordBatch> batches) override {
    ++appends;
    for (const paxos::RecordBatch& batch : batches) {
      for (const paxos::Record& record : batch.records) Take(record);
    }
  }
  StatusOr<std::vector<paxos::Vote>> Read(paxos::Slot first, paxos::Slot last, size_t) override {
    std::vector<paxos::Vote> found;
    for (auto it = votes.lower_bound(first); it != votes.end() && it->first <= last; ++it) {
      found.push_back(it->second);
    }
    return found;
  }
  paxos::Slot TailStart(paxos::Slot last, size_t bytes_max) const override {
    size_t bytes = 0;
    paxos::Slot start = last.Next();
    for (auto vote = votes.find(last); vote != votes.end(); vote = votes.find(start.Previous())) {
      bytes += paxos::EntryBytes(*vote->second.entry);
      if (bytes > bytes_max) break;
      start = vote->first;
    }
    return start;
  }
  void OnIdle() override {}
  bool HasIdleWork() const override { return false; }
  uint64_t SizeBytes() const override { return 0; }

  // Becomes what a copy of the directory is that was taken before.
  void LoseLast() {
    votes.erase(recovered_.last_slot);
    recovered_.last_slot = votes.rbegin()->first;
    recovered_.chosen_index = std::min(recovered_.chosen_index, recovered_.last_slot);
  }

  std::map<paxos::Slot, paxos::Vote> votes;
  int appends = 0;

 private:
  void Take(const paxos::Record& record) {
    if (const auto* promised = std::get_if<paxos::PromisedRecord>(&record)) {
      recovered_.promised = std::max(recovered_.promised, promised->ballot);
    } else if (const auto* accepted = std::get_if<paxos::AcceptedRecord>(&record)) {
      recovered_.promised = std::max(recovered_.promised, accepted->ballot);
      Keep({accepted->slot, accepted->ballot, false, accepted->entry});
    } else if (const auto* chosen = std::get_if<paxos::ChosenRecord>(&record)) {
      Keep({chosen->slot, {}, true, chosen->entry});
    } else if (const auto* roster = std::get_if<paxos::RosterRecord>(&record)) {
      recovered_.roster = roster->incarnations;
    } else {
      recovered_.chosen_index = std::get<paxos::ChosenIndexRecord>(record).slot;
    }
  }
  void Keep(paxos::Vote vote) {
    recovered_.last_slot = std::max(recovered_.last_slot, vote.slot);
    votes[vote.slot] = std::move(vote);
  }

  const paxos::LogIdentity identity_;
  paxos::RecoveredLog recovered_;
};

}  // namespace decree::check
