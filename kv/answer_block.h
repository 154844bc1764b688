#pragma once
// The answers that a session was given in one slot, as they stand in the store: in one record, for LevelDB
// takes as long for one of them as for a hundred in a record.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "paxos/base/status.h"

namespace decree::kv {

// What is kept of a request that has ended.
struct SessionAnswer {
  uint64_t hash = 0;   // of the request; 0: it was settled before it came
  std::string result;  // a CommandResult
};

void AppendAnswer(uint64_t number, const SessionAnswer& answer, std::string& block);

// In the order in which they were given. kDataLoss: the block is malformed; some may have been visited then.
Status VisitAnswers(std::string_view block,
                    const std::function<void(uint64_t number, uint64_t hash, std::string_view result)>& visit);
// The result of the request of this number, which the block must have.
std::string RequireAnswer(std::string_view block, uint64_t number);

}  // namespace decree::kv
