#pragma once
// The messages on their way between the replicas of a test, of which it picks those that arrive.

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "paxos/core/protocol/message.h"

namespace decree::check {

class Mail {
 public:
  // How a message is picked: by link and name.
  struct Pattern {
    paxos::NodeId from;
    paxos::NodeId to;
    std::string kind;  // empty: any

    bool Matches(const paxos::Envelope& envelope) const;
  };

  void Post(paxos::Envelope envelope) { envelopes_.push_back(std::move(envelope)); }
  // The oldest message that matches, or the oldest of all.
  std::optional<paxos::Envelope> Take(const Pattern& pattern);
  std::optional<paxos::Envelope> TakeAny();
  // The oldest message that matches; it stays.
  std::optional<paxos::Envelope> Copy(const Pattern& pattern) const;
  // How many there were.
  size_t Drop(const Pattern& pattern);
  void DropAll() { envelopes_.clear(); }

  size_t Count(const Pattern& pattern) const;
  const std::deque<paxos::Envelope>& envelopes() const { return envelopes_; }

 private:
  std::deque<paxos::Envelope> envelopes_;  // the oldest first
};

}  // namespace decree::check
