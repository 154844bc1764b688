#pragma once
// Runs a text scenario: one command a line, `#` begins a comment. Invariants are checked after
// every line; at the end all faults stop, and the cluster must elect a leader, choose one more
// value and agree. The commands are listed in tests/scenarios/README.md.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "paxos/base/status.h"
#include "tests/support/replica_cluster.h"

namespace decree::scenario {

class Scenario {
 public:
  // What went wrong, with the line and the state of the cluster; OK if the scenario holds.
  static Status Run(std::string_view text);

 private:
  using Words = std::vector<std::string>;
  using Link = std::pair<uint32_t, uint32_t>;  // from, to
  struct Read {
    uint32_t node;
    uint64_t id;
  };

  Status RunLine(const Words& words);
  Status RunCommand(const std::string& command, const Words& words);
  Status RunExpectation(const Words& words);
  Status MakeCluster(const Words& words);
  Status Converge();

  StatusOr<uint32_t> ParseNode(const std::string& word) const;
  StatusOr<Link> ParseLink(const std::string& word) const;
  StatusOr<check::Mail::Pattern> ParsePattern(const std::string& link, const std::string& kind) const;

  Status OnMessages(const std::string& command, const Words& words);
  Status OnLinks(const std::string& command, const Words& words);
  Status OnTime(const std::string& command, const Words& words);
  Status OnNode(const std::string& command, const Words& words);
  Status Propose(uint32_t node, const std::string& command);
  void BeginRead(uint32_t node, const std::string& name);
  std::string StateOf(const Read& read) const;
  Status ExpectOfNode(const std::string& what, const Words& words);
  Status ExpectChosen(const Words& words);
  Status ExpectNothingChosen(const Words& words);
  Status ExpectMessages(bool some, const Words& words);
  Status ExpectRead(const Words& words);

  std::unique_ptr<check::ReplicaCluster> cluster_;
  std::set<Link> cut_;
  std::map<std::string, Read> reads_;
};

}  // namespace decree::scenario
