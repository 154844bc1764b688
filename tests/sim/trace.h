#pragma once
// What happened in one simulated run: counted by kind, folded into a hash that two runs of the same
// seed must share, and printed if asked for.

#include <cstdint>
#include <iostream>
#include <map>
#include <string>

#include "paxos/core/protocol/message.h"
#include "tests/sim/event_queue.h"

namespace decree::sim {

class Trace {
 public:
  Trace(const EventQueue& queue, bool prints) : queue_(queue), prints_(prints) {}

  // `line` is a function that writes to a stream; called only when somebody reads the trace.
  template <typename Line>
  void Print(Line line) {
    if (!prints_) return;
    const auto nanoseconds = queue_.now().time_since_epoch().count();
    const std::string digits = std::to_string(nanoseconds / 1000 % 1'000'000 + 1'000'000);
    std::cout << '[' << nanoseconds / 1'000'000'000 << '.' << digits.substr(1) << "] ";
    line(std::cout);
    std::cout << '\n';
  }

  // Folds an event into the hash of the run.
  void Mix(uint64_t a, uint64_t b = 0) {
    for (const uint64_t word : {static_cast<uint64_t>(queue_.now().time_since_epoch().count()), a, b}) {
      hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15;
      hash_ ^= hash_ >> 29;
    }
  }

  // Something that a campaign must have seen: a fault, how a request ended.
  void Count(const std::string& kind) {
    ++counts_[kind];
    Mix(std::hash<std::string>()(kind));
  }

  uint64_t hash() const { return hash_; }
  const std::map<std::string, uint64_t>& counts() const { return counts_; }

 private:
  const EventQueue& queue_;
  const bool prints_;
  uint64_t hash_ = 0;
  std::map<std::string, uint64_t> counts_;
};

}  // namespace decree::sim
