#include "paxos/core/catch_up.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"
#include "paxos/core/entry_check.h"

namespace decree::paxos {
namespace {

// A peer that is wrong once is wrong often.
constexpr int kLogEverySeconds = 10;
// The time between two attempts grows no further.
constexpr uint32_t kDoublingsMax = 3;

}  // namespace

CatchUp::CatchUp(const Options& options, Slot chosen_index)
    : options_(options), at_start_(chosen_index), window_(options) {}

void CatchUp::OnNamed(NodeId peer, Life life, Slot chosen_index, Slot trim_point) {
  Peer& known = peers_[peer];
  // A process that started again may know less than the one before it.
  if (known.life != life) known = {.life = life, .failed = known.failed};
  known.chosen_index = std::max(known.chosen_index, chosen_index);
  known.trim_point = std::max(known.trim_point, trim_point);
}

void CatchUp::BeginBy(Time time) { begin_at_ = std::min(begin_at_, time); }

Slot CatchUp::target() const {
  Slot target = at_start_;
  for (const auto& [node, peer] : peers_) target = std::max(target, peer.chosen_index);
  return target;
}

void CatchUp::Pump(Slot chosen_index, Time now, Outbox& outbox) {
  if (chosen_index >= target()) {
    End();
    begin_at_ = kTimeNever;
    return;
  }
  if (IsStreaming()) {
    if (chosen_index >= next_.slot || peers_[source_].chosen_index < next_.slot) {
      // What it would send is here by now, or it has nothing more.
      timeouts_ = 0;
      End();
      BeginBy(now);
    } else if (now >= ask_again_at_) {
      OnTimeout(now);
    }
  }
  if (!IsStreaming()) {
    if (now < begin_at_) return;
    begin_at_ = kTimeNever;
    const NodeId source = ChooseSource(chosen_index);
    if (source != kNoNode) Begin(source, chosen_index, now, outbox);
    return;
  }
  const bool has_room = received_ + window_.bytes() - window_.bytes() / 4 > credit_;
  if (has_room || next_.slot > last_slot_) Ask(chosen_index, now, outbox);
}

NodeId CatchUp::ChooseSource(Slot chosen_index) const {
  NodeId best = kNoNode;
  const auto rank = [&](NodeId node) {
    const Peer& peer = peers_.at(node);
    return std::tuple(peer.failed, node != preferred_, Slot::Max().DistanceFrom(peer.chosen_index));
  };
  for (const auto& [node, peer] : peers_) {
    if (peer.chosen_index <= chosen_index || peer.trim_point > chosen_index) continue;
    if (best == kNoNode || rank(node) < rank(best)) best = node;
  }
  return best;
}

void CatchUp::Begin(NodeId source, Slot chosen_index, Time now, Outbox& outbox) {
  if (source != last_source_) window_.Reset();
  source_ = source;
  last_source_ = source;
  ++stream_;
  is_answered_ = false;
  if (next_.slot != chosen_index.Next()) {
    next_ = {.slot = chosen_index.Next(), .byte = 0};
    partial_.reset();
  }
  received_ = 0;
  credit_ = 0;
  early_.clear();
  ask_again_at_ = now + Patience();
  Ask(chosen_index, now, outbox);
}

Duration CatchUp::Patience() const {
  const uint32_t doublings = std::min(timeouts_, kDoublingsMax);
  // A round trip that took long because this node, or the peer, stood still says little about the next.
  return std::min(window_.patience() * (1 << doublings), options_.retransmit * (1 << kDoublingsMax));
}

void CatchUp::Ask(Slot chosen_index, Time now, Outbox& outbox) {
  last_slot_ = std::min(peers_[source_].chosen_index, chosen_index.Plus(options_.window_slots_max));
  credit_ = std::max<uint64_t>(credit_, received_ + window_.bytes());
  ++number_;
  window_.OnFetch(number_, now);
  outbox.Send(source_, peers_[source_].life,
              Fetch{.stream = stream_,
                    .number = number_,
                    .position = next_,
                    .last_slot = last_slot_,
                    .received = received_,
                    .credit = credit_});
}

void CatchUp::OnTimeout(Time now) {
  ++timeouts_;
  window_.OnTimeout();
  if (!is_answered_) {
    PROBE("a source that did not answer was passed over");
    peers_[source_].failed = now;
  }
  End();
  BeginBy(now);
}

void CatchUp::GiveUpSource(Time now) {
  peers_[source_].failed = now;
  End();
  BeginBy(now);
}

void CatchUp::End() {
  source_ = kNoNode;
  early_.clear();
  ask_again_at_ = kTimeNever;
}

std::vector<SlotEntry> CatchUp::OnAnswer(NodeId from, const FetchAnswer& answer, Time now) {
  std::vector<SlotEntry> ready;
  if (from != source_ || answer.stream != stream_) return ready;
  Peer& peer = peers_[source_];
  peer.trim_point = std::max(peer.trim_point, answer.trim_point);
  if (answer.IsEmpty()) {
    PROBE("a source turned out not to have what it was asked for");
    peer.chosen_index = answer.chosen_index;
    GiveUpSource(now);
    return ready;
  }
  peer.chosen_index = std::max(peer.chosen_index, answer.chosen_index);
  peer.failed = Time::min();
  is_answered_ = true;
  window_.OnAnswer(answer.fetch, now);
  // Repeated, or never asked for.
  if (answer.sent < received_ || answer.sent >= credit_) return ready;
  early_.try_emplace(answer.sent, answer);
  while (!early_.empty() && early_.begin()->first == received_) {
    const FetchAnswer next = std::move(early_.extract(early_.begin()).mapped());
    if (!Append(next, ready)) {
      LOG_EVERY_T(ERROR, kLogEverySeconds)
          << "n" << from << " answers a fetch with what was not asked for; another is asked: slot="
          << next_.slot;
      partial_.reset();
      next_.byte = 0;
      GiveUpSource(now);
      return ready;
    }
    received_ += StreamBytes(next);
    timeouts_ = 0;
    ask_again_at_ = now + Patience();
  }
  return ready;
}

bool CatchUp::Append(const FetchAnswer& answer, std::vector<SlotEntry>& ready) {
  if (answer.part.has_value()) return answer.entries.empty() && AppendPart(*answer.part, ready);
  for (const SlotEntry& item : answer.entries) {
    if (item.slot != next_.slot || next_.byte != 0) return false;
    ready.push_back(item);
    next_ = {.slot = item.slot.Next(), .byte = 0};
  }
  return true;
}

bool CatchUp::AppendPart(const EntryPart& part, std::vector<SlotEntry>& ready) {
  if (part.slot != next_.slot || part.first_byte != next_.byte) return false;
  const Entry& piece = *part.piece;
  if (part.first_byte == 0) {
    partial_ = part;
    partial_payload_.clear();
  }
  // The rest may come from another source: it must be of the same value.
  const bool fits = partial_.has_value() && partial_->payload_bytes == part.payload_bytes &&
                    partial_->piece->kind == piece.kind && partial_->piece->proposer == piece.proposer &&
                    partial_->piece->log_time == piece.log_time;
  if (!fits || piece.payload.empty()) return false;
  partial_payload_ += piece.payload;
  next_.byte = partial_payload_.size();
  if (next_.byte < part.payload_bytes) return true;
  PROBE("an entry was fetched in parts");
  Entry whole{.kind = piece.kind,
              .proposer = piece.proposer,
              .log_time = piece.log_time,
              .payload = std::exchange(partial_payload_, {})};
  partial_.reset();
  if (next_.byte > part.payload_bytes || !CheckEntry(whole).ok()) return false;
  ready.push_back({.slot = part.slot, .entry = std::make_shared<const Entry>(std::move(whole))});
  next_ = {.slot = part.slot.Next(), .byte = 0};
  return true;
}

}  // namespace decree::paxos
