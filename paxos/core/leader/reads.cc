#include "paxos/core/leader/reads.h"

#include <utility>
#include <variant>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

bool IsOwn(const Reader& reader) { return std::holds_alternative<ReadId>(reader); }

}  // namespace

Reads::Reads(const Options& options)
    : waiting_max_(options.pending_reads_max), patience_(options.election_timeout_min) {}

bool Reads::IsFull() const { return waiting() >= waiting_max_; }

void Reads::Refuse(const Reader& reader, RefusedRead::Reason reason, Outbox& outbox, Output& out) {
  if (const ReadId* const id = std::get_if<ReadId>(&reader)) {
    out.refused_reads.push_back({.id = *id, .reason = reason});
    return;
  }
  const RemoteRead& remote = std::get<RemoteRead>(reader);
  outbox.Send(remote.from, remote.life,
              ReadIndexAnswer{.request = remote.request, .served = false, .index = {}, .ballot = {}});
}

void Reads::Serve(const Reader& reader, Slot index, Ballot ballot, Outbox& outbox, Output& out) {
  if (const ReadId* const id = std::get_if<ReadId>(&reader)) {
    out.reads.push_back({.id = *id, .slot = index});
    return;
  }
  const RemoteRead& remote = std::get<RemoteRead>(reader);
  outbox.Send(remote.from, remote.life,
              ReadIndexAnswer{.request = remote.request, .served = true, .index = index, .ballot = ballot});
}

// ---- At a leader ----

void Reads::AddAtLeader(const Reader& reader, const LeaderView& leader, Outbox& outbox, Output& out) {
  if (!leader.is_current) {
    RARE_CASE("a read waited for a new leader's recovery");
    early_.push_back(reader);
  } else if (leader.holds_lease || IsPlanted(PlantedBug::kReadWithoutLease)) {
    if (IsOwn(reader)) ++counts_.under_lease;
    Serve(reader, leader.chosen_index, leader.ballot, outbox, out);
  } else {
    RARE_CASE("a read took a quorum round");
    // A probe that is already on its way may have been answered before this read began.
    unconfirmed_.Add(reader, leader.chosen_index, leader.last_probe + 1);
  }
}

void Reads::AdvanceAtLeader(const LeaderView& leader, uint64_t confirmed_probe, Outbox& outbox, Output& out) {
  if (leader.is_current) {
    for (const Reader& reader : std::exchange(early_, {})) AddAtLeader(reader, leader, outbox, out);
  }
  for (const UnconfirmedReads::Confirmed& read : unconfirmed_.Take(confirmed_probe)) {
    if (IsOwn(read.reader)) ++counts_.by_round;
    Serve(read.reader, read.index, leader.ballot, outbox, out);
  }
}

void Reads::RefuseAtLeader(Outbox& outbox, Output& out) {
  std::vector<Reader> readers = std::exchange(early_, {});
  for (const Reader& reader : unconfirmed_.TakeAll()) readers.push_back(reader);
  for (const Reader& reader : readers) Refuse(reader, RefusedRead::Reason::kLeaderChanged, outbox, out);
}

// ---- At a follower ----

bool Reads::OnAnswer(const ReadIndexAnswer& answer, Output& out) {
  const std::vector<ReadId> reads = asked_.EndRound(answer);
  for (const ReadId id : reads) {
    if (answer.served) {
      ++counts_.at_leaders_index;
      out.reads.push_back({.id = id, .slot = answer.index});
    } else {
      out.refused_reads.push_back({.id = id, .reason = RefusedRead::Reason::kLeaderChanged});
    }
  }
  return !reads.empty();
}

void Reads::RefuseAsked(RefusedRead::Reason reason, Output& out) {
  for (const ReadId id : asked_.TakeAll()) out.refused_reads.push_back({.id = id, .reason = reason});
}

Time Reads::AskedUntil() const { return asked_.asked_at().has_value() ? *asked_.asked_at() + patience_ : kTimeNever; }

}  // namespace decree::paxos
