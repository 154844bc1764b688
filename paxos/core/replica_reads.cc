// The part of Replica that serves linearizable reads.

#include <utility>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"
#include "paxos/core/replica.h"

namespace decree::paxos {

void Replica::Read(ReadId id, Time now, Output& out) {
  BeginInput(now, out);
  if (ReadsWaiting() >= options_.pending_reads_max) {
    Refuse(id, RefusedRead::Reason::kOverloaded, out);
  } else if (role_ == Role::kLeader) {
    ReadAtLeader(id, now, out);
  } else if (leader_ != kNoNode) {
    asked_.Add(id);
  } else {
    Refuse(id, RefusedRead::Reason::kNoLeader, out);
  }
  EndInput(now, out);
}

bool Replica::MayServeReads() const {
  if (role_ != Role::kLeader) return false;
  if (IsPlanted(PlantedBug::kReadBeforeRecovery)) return true;
  return proposer_.HasRecovered() && applied_ >= proposer_.recovery_end();
}

void Replica::ReadAtLeader(const Reader& reader, Time now, Output& out) {
  if (!MayServeReads()) {
    PROBE("a read waited for a new leader's recovery");
    early_reads_.push_back(reader);
  } else if (LeaseLeft(now) > Duration::zero() || IsPlanted(PlantedBug::kReadWithoutLease)) {
    if (std::holds_alternative<ReadId>(reader)) ++read_counts_.under_lease;
    Serve(reader, chosen_index(), out);
  } else {
    PROBE("a read took a quorum round");
    // A probe that is already on its way may have been answered before this read began.
    unconfirmed_.Add(reader, chosen_index(), lease_.last_probe() + 1);
  }
}

void Replica::ServeReads(Time now, Output& out) {
  if (role_ != Role::kLeader) return;
  if (!early_reads_.empty() && MayServeReads()) {
    for (const Reader& reader : std::exchange(early_reads_, {})) ReadAtLeader(reader, now, out);
  }
  if (unconfirmed_.size() == 0) return;
  const uint64_t confirmed = lease_.ConfirmedProbe(configuration_);
  for (const UnconfirmedReads::Confirmed& read : unconfirmed_.Take(confirmed)) {
    if (std::holds_alternative<ReadId>(read.reader)) ++read_counts_.by_round;
    Serve(read.reader, read.index, out);
  }
}

void Replica::OnReadIndexRequest(const Envelope& envelope, const ReadIndexRequest& request, Time now, Output& out) {
  const RemoteRead reader{
      .from = envelope.from, .life = envelope.from_life, .request = request.request};
  if (role_ == Role::kLeader && ReadsWaiting() < options_.pending_reads_max) {
    ReadAtLeader(reader, now, out);
  } else {
    Refuse(reader, RefusedRead::Reason::kLeaderChanged, out);
  }
}

void Replica::OnReadIndexAnswer(const Envelope& envelope, const ReadIndexAnswer& answer, Time now, Output& out) {
  const std::vector<ReadId> reads = asked_.EndRound(answer);
  if (reads.empty()) return;
  // Of another leader than the one followed it says nothing: that one speaks for its own ballot only.
  if (answer.served && leader_ == envelope.from && leader_ballot_ == answer.ballot) {
    learner_.OnAnnounced(envelope.from, envelope.from_life, answer.ballot, answer.index, now);
  }
  for (const ReadId id : reads) {
    if (answer.served) {
      ++read_counts_.at_leaders_index;
      out.reads.push_back({.id = id, .slot = answer.index});
    } else {
      Refuse(id, RefusedRead::Reason::kLeaderChanged, out);
    }
  }
}

void Replica::Serve(const Reader& reader, Slot index, Output& out) {
  if (const ReadId* const id = std::get_if<ReadId>(&reader)) {
    out.reads.push_back({.id = *id, .slot = index});
    return;
  }
  const RemoteRead& remote = std::get<RemoteRead>(reader);
  outbox_.Send(remote.from, remote.life,
               ReadIndexAnswer{.request = remote.request,
                               .served = true,
                               .index = index,
                               .ballot = proposer_.ballot()});
}

void Replica::Refuse(const Reader& reader, RefusedRead::Reason reason, Output& out) {
  if (const ReadId* const id = std::get_if<ReadId>(&reader)) {
    out.refused_reads.push_back({.id = *id, .reason = reason});
    return;
  }
  const RemoteRead& remote = std::get<RemoteRead>(reader);
  outbox_.Send(remote.from, remote.life,
               ReadIndexAnswer{
                   .request = remote.request, .served = false, .index = {}, .ballot = {}});
}

void Replica::RefuseAsked(RefusedRead::Reason reason, Output& out) {
  for (const ReadId id : asked_.TakeAll()) Refuse(id, reason, out);
}

void Replica::RefuseLeaderReads(Output& out) {
  for (const Reader& reader : std::exchange(early_reads_, {})) {
    Refuse(reader, RefusedRead::Reason::kLeaderChanged, out);
  }
  for (const Reader& reader : unconfirmed_.TakeAll()) {
    Refuse(reader, RefusedRead::Reason::kLeaderChanged, out);
  }
}

}  // namespace decree::paxos
