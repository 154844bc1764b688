#include "tests/support/mail.h"

#include <algorithm>

namespace decree::check {
namespace {

auto Matching(const Mail::Pattern& pattern) {
  return [&pattern](const paxos::Envelope& envelope) { return pattern.Matches(envelope); };
}

}  // namespace

bool Mail::Pattern::Matches(const paxos::Envelope& envelope) const {
  return envelope.from == from && envelope.to == to && (kind.empty() || kind == paxos::MessageName(envelope.message));
}

std::optional<paxos::Envelope> Mail::Take(const Pattern& pattern) {
  const auto found = std::find_if(envelopes_.begin(), envelopes_.end(), Matching(pattern));
  if (found == envelopes_.end()) return std::nullopt;
  paxos::Envelope taken = std::move(*found);
  envelopes_.erase(found);
  return taken;
}

std::optional<paxos::Envelope> Mail::TakeAny() {
  if (envelopes_.empty()) return std::nullopt;
  paxos::Envelope taken = std::move(envelopes_.front());
  envelopes_.pop_front();
  return taken;
}

std::optional<paxos::Envelope> Mail::Copy(const Pattern& pattern) const {
  const auto found = std::find_if(envelopes_.begin(), envelopes_.end(), Matching(pattern));
  if (found == envelopes_.end()) return std::nullopt;
  return *found;
}

size_t Mail::Drop(const Pattern& pattern) { return std::erase_if(envelopes_, Matching(pattern)); }

size_t Mail::Count(const Pattern& pattern) const {
  return static_cast<size_t>(std::count_if(envelopes_.begin(), envelopes_.end(), Matching(pattern)));
}

}  // namespace decree::check
