#include "paxos/core/leader/election.h"

#include <algorithm>

namespace decree::paxos {
namespace {

// The wait grows no further: up to twice the longest timeout.
constexpr uint32_t kFailuresMax = 3;

}  // namespace

Election::Election(const Options& options, Random random, Time now) : options_(options), random_(random) {
  Postpone(now);
}

void Election::OnLeaderHeard(Time now) {
  leader_heard_ = now;
  polling_ = false;
  failures_ = 0;
  Postpone(now);
}

void Election::OnPromiseGiven(Time now) {
  promise_given_ = now;
  polling_ = false;
  Postpone(now);
}

void Election::OnProgress(Time now) {
  deadline_ = now + random_.Between(options_.election_timeout_min, options_.election_timeout_max * (2 + failures_) / 2);
}

void Election::OnGaveUp(Time now) {
  failures_ = std::min(failures_ + 1, kFailuresMax);
  deadline_ = now + random_.Between(options_.election_timeout_min, options_.election_timeout_max * (1 + failures_) / 2);
}

void Election::Postpone(Time now) {
  deadline_ = now + random_.Between(options_.election_timeout_min, options_.election_timeout_max);
}

void Election::TryAgainAfter(Duration left, Time now) {
  // A little apart from the others, who wait for the same lease to end.
  const Duration spread = options_.election_timeout_max - options_.election_timeout_min;
  deadline_ = std::min(deadline_, now + left + random_.Between(Duration::zero(), spread / 2));
}

bool Election::IsTaken(Time now) const {
  const auto is_recent = [&](Time time) { return time != Time::min() && now - time < options_.election_timeout_min; };
  return is_recent(leader_heard_) || is_recent(promise_given_);
}

Poll Election::StartPoll(Ballot ballot, Slot chosen_index) {
  ++poll_;
  polling_ = true;
  granted_ = Tally();
  return {.poll = poll_, .ballot = ballot, .chosen_index = chosen_index};
}

bool Election::OnAnswer(NodeId from, const PollAnswer& answer, const Configuration& configuration) {
  if (!polling_ || answer.poll != poll_ || !answer.granted) return false;
  if (!configuration.IsVoter(from)) return false;
  granted_.Add(from);
  if (granted_.count() < configuration.q1) return false;
  polling_ = false;
  return true;
}

}  // namespace decree::paxos
