#pragma once
// Runs a text scenario: one command a line, `#` begins a comment. Invariants are checked after
// every line; at the end all faults stop, and the cluster must elect a leader, choose one more
// value and agree. The commands are listed in tests/scenarios/README.md.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/base/status.h"
#include "tests/scenarios/cluster.h"

namespace decree::scenario {

class Scenario {
 public:
  // What went wrong, with the line and the state of the cluster; OK if the scenario holds.
  static Status Run(std::string_view text);

 private:
  using Words = std::vector<std::string>;

  Status RunLine(const Words& words);
  Status RunCommand(const std::string& command, const Words& words);
  Status RunExpectation(const Words& words);
  Status MakeCluster(const Words& words);
  Status Converge();

  StatusOr<NodeId> ParseNode(const std::string& word) const;
  StatusOr<Pattern> ParsePattern(const std::string& link, const std::string& kind) const;

  Status OnMessages(const std::string& command, const Words& words);
  Status OnLinks(const std::string& command, const Words& words);
  Status OnTime(const std::string& command, const Words& words);
  Status OnNode(const std::string& command, const Words& words);
  Status ExpectOfNode(const std::string& what, const Words& words);
  Status ExpectChosen(const Words& words);
  Status ExpectNothingChosen(const Words& words);
  Status ExpectMessages(bool some, const Words& words);
  Status ExpectRead(const Words& words);

  std::unique_ptr<Cluster> cluster_;
};

}  // namespace decree::scenario
