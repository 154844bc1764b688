#pragma once
// What has gone wrong lately, for the node status and the log: each text once, with the time when it was last seen.

#include <string>
#include <vector>

#include "paxos/base/time.h"

namespace decree::rpc {

class RecentProblems {
 public:
  // Notes a problem. True if it is worth a line in the log, because it was not noted for a while. Of many different
  // ones, as a stranger may cause, only some are.
  bool Note(const std::string& text, Time now);
  // The problems that have not stopped.
  std::vector<std::string> Recent(Time now) const;

 private:
  struct Problem {
    std::string text;
    Time seen;
  };

  // Whether one more may be written to the log.
  bool IsLineLeft(Time now);

  std::vector<Problem> problems_;  // oldest first
  Time lines_since_ = Time::min();
  size_t lines_ = 0;  // in the log, since then
};

}  // namespace decree::rpc
