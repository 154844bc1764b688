#include "rpc/client/endpoints.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace decree::rpc {
namespace {

// How long nodes are left to forward to a leader whose address is not among ours. Then one request
// makes the detour again, for someone else may lead.
constexpr Duration kForeignLeaderTime = Seconds(10);
// The time that a silent endpoint is left out for is doubled no more often.
constexpr int kSilencesMax = 3;

}  // namespace

Endpoints::Endpoints(std::vector<std::string> addresses, size_t first, Duration broken_time)
    : addresses_(std::move(addresses)), broken_time_(broken_time), nodes_(addresses_.size()), turn_(first) {
  CHECK(!addresses_.empty());
  CHECK_LT(first, addresses_.size());
}

Endpoints::Choice Endpoints::ChooseForLeader(Time now) {
  const bool no_forwarding = size() > 1 && now >= forward_until_;
  if (leader_.has_value()) return {.endpoint = *leader_, .no_forwarding = no_forwarding};
  return {.endpoint = NextInTurn(now), .no_forwarding = no_forwarding};
}

Endpoints::Choice Endpoints::ChooseAny(Time now) { return {.endpoint = NextInTurn(now)}; }

size_t Endpoints::NextInTurn(Time now) {
  for (size_t step = 0; step < size(); ++step) {
    const size_t endpoint = (turn_ + step) % size();
    if (IsLeftOut(endpoint, now)) continue;
    turn_ = (endpoint + 1) % size();
    return endpoint;
  }
  // All of them rest: take the one that has rested longest.
  const auto longest = std::min_element(
      nodes_.begin(), nodes_.end(), [](const Node& a, const Node& b) { return a.left_out_until < b.left_out_until; });
  const auto endpoint = static_cast<size_t>(longest - nodes_.begin());
  turn_ = (endpoint + 1) % size();
  return endpoint;
}

void Endpoints::OnLed(size_t endpoint) {
  OnAnswered(endpoint);
  leader_ = endpoint;
}

void Endpoints::OnAnswered(size_t endpoint) { nodes_[endpoint] = {.is_proven = true}; }

void Endpoints::OnBroken(size_t endpoint, Time now) { BreakUntil(endpoint, now + broken_time_); }

void Endpoints::OnSilent(size_t endpoint, Time now) {
  Node& node = nodes_[endpoint];
  // When many requests wait in vain, the first tells all there is to tell.
  if (now < node.broken_until) return OnNotLeading(endpoint);
  BreakUntil(endpoint, now + broken_time_ * (1 << node.silences));
  node.silences = std::min(node.silences + 1, kSilencesMax);
}

void Endpoints::BreakUntil(size_t endpoint, Time until) {
  Node& node = nodes_[endpoint];
  node.broken_until = until;
  node.left_out_until = until;
  node.is_proven = false;
  OnNotLeading(endpoint);
}

void Endpoints::OnOfNoUse(size_t endpoint, Time now) {
  OnAnswered(endpoint);
  nodes_[endpoint].left_out_until = now + broken_time_;
  OnNotLeading(endpoint);
}

bool Endpoints::HasAnother(size_t endpoint, Time now) const {
  for (size_t other = 0; other < size(); ++other) {
    if (other != endpoint && !IsLeftOut(other, now)) return true;
  }
  return false;
}

void Endpoints::OnNotLeading(size_t endpoint) {
  if (leader_ == endpoint) leader_.reset();
}

bool Endpoints::OnLeaderHint(std::string_view address, Time now) {
  leader_.reset();
  const auto found = std::find(addresses_.begin(), addresses_.end(), address);
  if (found == addresses_.end()) {
    forward_until_ = now + kForeignLeaderTime;
    return false;
  }
  const auto endpoint = static_cast<size_t>(found - addresses_.begin());
  const Time broken_until = nodes_[endpoint].broken_until;
  if (now < broken_until) {
    forward_until_ = broken_until;
    return false;
  }
  forward_until_ = Time::min();
  leader_ = endpoint;
  return true;
}

}  // namespace decree::rpc
