#include "paxos/core/leader/read_index.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/rare_case.h"

namespace decree::paxos {

void UnconfirmedReads::Add(Reader reader, Slot index, uint64_t probe) {
  CHECK_GE(probe, last_probe());
  waiting_.push_back({.reader = reader, .index = index, .probe = probe});
}

std::vector<UnconfirmedReads::Confirmed> UnconfirmedReads::Take(uint64_t confirmed_probe) {
  std::vector<Confirmed> confirmed;
  while (!waiting_.empty() && waiting_.front().probe <= confirmed_probe) {
    confirmed.push_back({.reader = waiting_.front().reader, .index = waiting_.front().index});
    waiting_.pop_front();
  }
  return confirmed;
}

std::vector<Reader> UnconfirmedReads::TakeAll() {
  std::vector<Reader> readers;
  for (const Waiting& waiting : waiting_) readers.push_back(waiting.reader);
  waiting_.clear();
  return readers;
}

std::optional<ReadIndexRequest> AskedReads::BeginRound(Time now) {
  if (asked_at_.has_value() || next_.empty()) return std::nullopt;
  asked_at_ = now;
  round_ = std::move(next_);
  next_.clear();
  return ReadIndexRequest{.request = ++request_};
}

std::vector<ReadId> AskedReads::EndRound(const ReadIndexAnswer& answer) {
  if (!asked_at_.has_value() || answer.request != request_) {
    RARE_CASE("a read index arrived for an earlier round");
    return {};
  }
  asked_at_.reset();
  return std::exchange(round_, {});
}

std::vector<ReadId> AskedReads::TakeAll() {
  std::vector<ReadId> reads = std::exchange(round_, {});
  reads.insert(reads.end(), next_.begin(), next_.end());
  next_.clear();
  asked_at_.reset();
  return reads;
}

}  // namespace decree::paxos
