#include "tests/support/replica_disk.h"

#include <algorithm>

#include <glog/logging.h>

#include "paxos/base/overloaded.h"

namespace decree::check {

void ReplicaDisk::Persist(const paxos::RecordBatch& batch) {
  for (const paxos::Record& record : batch.records) PersistRecord(record);
}

void ReplicaDisk::PersistRecord(const paxos::Record& record) {
  std::visit(Overloaded{[&](const paxos::PromisedRecord& it) { promised_ = std::max(promised_, it.ballot); },
                        [&](const paxos::AcceptedRecord& it) {
                          promised_ = std::max(promised_, it.ballot);
                          votes_[it.slot] = {.slot = it.slot, .ballot = it.ballot, .entry = it.entry};
                        },
                        [&](const paxos::ChosenRecord& it) {
                          votes_[it.slot] = {.slot = it.slot, .ballot = {}, .chosen = true, .entry = it.entry};
                        },
                        [&](const paxos::ChosenIndexRecord& it) { chosen_index_ = std::max(chosen_index_, it.slot); },
                        [&](const paxos::RosterRecord& it) { roster_ = it.incarnations; }},
             record);
}

paxos::RecoveredState ReplicaDisk::Recover(paxos::Slot applied) const {
  paxos::RecoveredState recovered{.promised = promised_,
                                  .chosen_index = std::max(chosen_index_, applied),
                                  .dropped_index = {},
                                  .applied = applied,
                                  .votes = {},
                                  .configuration = ConfigurationAfter(applied),
                                  .log_time = {},
                                  .roster = roster_};
  for (const auto& [slot, vote] : votes_) recovered.votes.push_back(vote);
  return recovered;
}

paxos::Configuration ReplicaDisk::ConfigurationAfter(paxos::Slot applied) const {
  paxos::Configuration configuration = founding_;
  for (const auto& [slot, vote] : votes_) {
    if (slot > applied || vote.entry->kind != paxos::EntryKind::kConfiguration) continue;
    StatusOr<paxos::Configuration> decoded = paxos::Configuration::Decode(vote.entry->payload);
    CHECK(decoded.ok()) << decoded.status();
    configuration = *std::move(decoded);
  }
  return configuration;
}

std::vector<paxos::SlotEntry> ReplicaDisk::Read(const paxos::LogRead& read) const {
  std::vector<paxos::SlotEntry> entries;
  size_t bytes = 0;
  for (paxos::Slot slot = read.first_slot; slot <= read.last_slot; ++slot) {
    const auto found = votes_.find(slot);
    if (found == votes_.end()) break;
    bytes += paxos::EntryBytes(*found->second.entry);
    if (!entries.empty() && bytes > read.bytes_max) break;
    entries.push_back({.slot = slot, .entry = found->second.entry});
  }
  return entries;
}

}  // namespace decree::check
