#pragma once
// What has lately gone wrong, for the status page and the log: each text once, with when it was last seen.

#include <string>
#include <vector>

#include "paxos/base/time.h"

namespace decree::rpc {

class RecentProblems {
 public:
  // True if it is worth a line in the log: it was not noted for a while.
  bool Note(const std::string& text, Time now);
  // Those that have not stopped.
  std::vector<std::string> Recent(Time now) const;

 private:
  struct Problem {
    std::string text;
    Time seen;
  };

  std::vector<Problem> problems_;  // oldest first
};

}  // namespace decree::rpc
