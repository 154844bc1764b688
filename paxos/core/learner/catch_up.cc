#include "paxos/core/learner/catch_up.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

// A peer that is wrong once is wrong often.
constexpr int kReportEverySeconds = 10;
// More would make no difference to the time that an answer is given.
constexpr uint32_t kDoublingsMax = 16;

}  // namespace

CatchUp::CatchUp(const Options& options, Slot chosen_index)
    : options_(options), at_start_(chosen_index), window_(options) {}

void CatchUp::OnNamed(NodeId peer, Life life, Slot chosen_index, Slot trim_point, Time now) {
  Peer& known = peers_[peer];
  // A process that started again may know less than the one before it.
  if (known.life != life) known = {.life = life};
  // What it was asked while it was away is lost. One whose words only wait on a slow link, behind what it was asked
  // for, is not away: asked again each time, it would never get there.
  if (now > known.heard + PatienceMax()) {
    known.failures = 0;
    known.not_before = Time::min();
    if (peer == source_) {
      End();
      BeginBy(now);
    }
  }
  known.heard = now;
  known.chosen_index = std::max(known.chosen_index, chosen_index);
  known.trim_point = std::max(known.trim_point, trim_point);
}

void CatchUp::BeginBy(Time time) {
  begin_at_ = std::min(begin_at_, time);
  if (IsPlanted(PlantedBug::kFetchedAgain)) ask_again_at_ = std::min(ask_again_at_, time);
}

void CatchUp::Stop() {
  End();
  begin_at_ = kTimeNever;
}

Slot CatchUp::target() const {
  Slot target = at_start_;
  for (const auto& [node, peer] : peers_) target = std::max(target, peer.chosen_index);
  return target;
}

void CatchUp::Pump(Slot chosen_index, Time now, Outbox& outbox) {
  if (chosen_index >= target()) return Stop();
  if (IsStreaming()) {
    const Peer& source = peers_[source_];
    if (chosen_index >= next_.slot || source.chosen_index < next_.slot || !CanSupply(source, chosen_index)) {
      // What it would send is here by now, or it has nothing more, or not any more.
      End();
      BeginBy(now);
    } else if (now >= ask_again_at_) {
      return OnTimeout(chosen_index, now, outbox);
    }
  }
  if (!IsStreaming()) {
    if (now < begin_at_) return;
    const NodeId source = ChooseSource(chosen_index, now);
    begin_at_ = source == kNoNode ? NextChoice(chosen_index) : kTimeNever;
    if (source != kNoNode) Begin(source, chosen_index, now, outbox);
    return;
  }
  const bool has_room = received_ + window_.bytes() - window_.bytes() / 4 > credit_;
  if (has_room || next_.slot > last_slot_) Ask(chosen_index, now, outbox);
}

bool CatchUp::CanSupply(const Peer& peer, Slot chosen_index) {
  return peer.chosen_index > chosen_index && peer.trim_point <= chosen_index;
}

NodeId CatchUp::ChooseSource(Slot chosen_index, Time now) const {
  NodeId best = kNoNode;
  const auto rank = [&](NodeId node) {
    const Peer& peer = peers_.at(node);
    const uint64_t least_known = Slot::Max().DistanceFrom(peer.chosen_index);
    if (IsPlanted(PlantedBug::kOneSource)) return std::tuple(false, false, Time(), least_known);
    const bool is_silent = peer.heard < peer.failed;
    return std::tuple(is_silent, node != preferred_, peer.failed, least_known);
  };
  for (const auto& [node, peer] : peers_) {
    if (!CanSupply(peer, chosen_index)) continue;
    if (peer.not_before > now && !IsPlanted(PlantedBug::kOneSource)) continue;
    if (best == kNoNode || rank(node) < rank(best)) best = node;
  }
  return best;
}

Time CatchUp::NextChoice(Slot chosen_index) const {
  Time next = kTimeNever;
  for (const auto& [node, peer] : peers_) {
    if (CanSupply(peer, chosen_index)) next = std::min(next, peer.not_before);
  }
  return next;
}

void CatchUp::Begin(NodeId source, Slot chosen_index, Time now, Outbox& outbox) {
  if (source != last_source_) window_.Reset();
  source_ = source;
  last_source_ = source;
  ++stream_;
  is_answered_ = false;
  if (next_.slot != chosen_index.Next()) {
    next_ = {.slot = chosen_index.Next(), .byte = 0};
    partial_.Clear();
  }
  received_ = 0;
  credit_ = 0;
  DropEarly();
  asked_at_ = now;
  ask_again_at_ = now + Patience();
  Ask(chosen_index, now, outbox);
}

Duration CatchUp::Patience() const {
  // If several do not answer in time, the links may be slow: asked in turn, and each for too short,
  // none of them would ever be of use.
  // A round trip that took long because this node, or the peer, stood still says little about the next.
  return std::clamp(window_.patience(), Doubled(timeouts_), PatienceMax());
}

Duration CatchUp::Doubled(uint32_t times) const { return std::min(options_.retransmit * (1 << times), PatienceMax()); }

Duration CatchUp::PatienceMax() const { return std::max(8 * options_.retransmit, options_.election_timeout_max); }

void CatchUp::Ask(Slot chosen_index, Time now, Outbox& outbox) {
  last_slot_ = std::min(peers_[source_].chosen_index, chosen_index.Plus(options_.window_slots_max));
  credit_ = std::max<uint64_t>(credit_, received_ + window_.bytes());
  if (IsPlanted(PlantedBug::kFetchedAgain)) credit_ = received_ + options_.fetch_window_bytes_max;
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

void CatchUp::OnTimeout(Slot chosen_index, Time now, Outbox& outbox) {
  if (IsPlanted(PlantedBug::kFetchedAgain)) return Begin(source_, chosen_index, now, outbox);
  window_.OnTimeout();
  Peer& silent = peers_[source_];
  if (!is_answered_ && silent.not_before <= asked_at_) {
    RARE_CASE("a source that did not answer was passed over");
    timeouts_ = std::min(timeouts_ + 1, kDoublingsMax);
    silent.failed = now;
    silent.failures = std::min(silent.failures + 1, kDoublingsMax);
    silent.not_before = asked_at_ + std::max(Patience(), Doubled(silent.failures));
  }
  // While there is no other to be asked, the answer may still come.
  const NodeId source = ChooseSource(chosen_index, now);
  if (source != kNoNode) return Begin(source, chosen_index, now, outbox);
  ask_again_at_ = NextChoice(chosen_index);
}

void CatchUp::GiveUpSource(Time now) {
  Peer& useless = peers_[source_];
  useless.failed = now;
  useless.not_before = now + Patience();
  End();
  BeginBy(now);
}

void CatchUp::DropEarly() {
  early_.clear();
  early_bytes_ = 0;
}

void CatchUp::End() {
  source_ = kNoNode;
  DropEarly();
  ask_again_at_ = kTimeNever;
}

std::vector<SlotEntry> CatchUp::OnAnswer(NodeId from, const FetchAnswer& answer, Time now) {
  std::vector<SlotEntry> ready;
  if (from != source_ || answer.stream != stream_) return ready;
  Peer& peer = peers_[source_];
  peer.trim_point = std::max(peer.trim_point, answer.trim_point);
  if (answer.IsEmpty()) {
    if (answer.sent > received_) return ready;  // The end of the stream; the rest is on its way.
    // No log goes back while its process lives, so this is a peer that contradicts itself.
    peer.chosen_index = answer.chosen_index;
    GiveUpSource(now);
    return ready;
  }
  peer.chosen_index = std::max(peer.chosen_index, answer.chosen_index);
  peer.heard = now;
  peer.failures = 0;
  timeouts_ = 0;
  is_answered_ = true;
  window_.OnAnswer(answer.fetch, now);
  // This answer is a repetition, or was never asked for.
  if (answer.sent < received_ || answer.sent >= credit_) return ready;
  Keep(answer);
  while (!early_.empty() && early_.begin()->first == received_) {
    const FetchAnswer next = std::move(early_.extract(early_.begin()).mapped());
    early_bytes_ -= StreamBytes(next);
    if (!Append(next, ready)) {
      LOG_EVERY_T(ERROR, kReportEverySeconds)
          << "n" << from << " answers a fetch with what was not asked for; another is asked: slot=" << next_.slot;
      partial_.Clear();
      next_.byte = 0;
      GiveUpSource(now);
      return ready;
    }
    received_ += StreamBytes(next);
    ask_again_at_ = now + Patience();
  }
  return ready;
}

void CatchUp::Keep(const FetchAnswer& answer) {
  // What is next is always taken; of the rest a source sends no more than was asked for, or it is wrong.
  const uint64_t bytes = StreamBytes(answer);
  if (answer.sent != received_ && early_bytes_ + bytes > options_.fetch_window_bytes_max) return;
  if (early_.try_emplace(answer.sent, answer).second) early_bytes_ += bytes;
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
  if (part.slot != next_.slot || part.first_byte != next_.byte || !partial_.Append(part)) return false;
  next_.byte = partial_.bytes();
  if (const EntryPtr whole = partial_.TakeWhole(); whole != nullptr) {
    RARE_CASE("an entry was fetched in parts");
    ready.push_back({.slot = part.slot, .entry = whole});
    next_ = {.slot = part.slot.Next(), .byte = 0};
  }
  return true;
}

}  // namespace decree::paxos
