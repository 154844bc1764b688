#pragma once
// What a node tells of itself when it is asked: its role, its state, its disk, and what is wrong.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "decree/v1/admin.pb.h"
#include "kv/state_machine.h"
#include "paxos/base/time.h"
#include "paxos/log/segment_log.h"
#include "paxos/node/node.h"

namespace decree::rpc {

class NodeStatusReport {
 public:
  // The sources outlive the report. The functions are called in the loop's thread.
  struct Sources {
    const Clock& clock;
    const paxos::Node& node;
    const paxos::SegmentLog& log;
    const kv::StateMachine& machine;
    std::string data;  // path of the data directory
    bool is_lease_used = true;
    std::function<uint32_t()> peers_connected;
    std::function<uint64_t()> stale_reads;
    std::function<void(v1::NodeStatusResponse&)> fill_clients;
    // What is wrong beyond what the replica says of itself.
    std::function<std::vector<std::string>()> problems;
  };

  explicit NodeStatusReport(Sources sources);

  void Fill(v1::NodeStatusResponse& status) const;

 private:
  void FillConfiguration(v1::NodeStatusResponse& status) const;
  void FillReads(v1::NodeStatusResponse& status) const;
  void FillSessions(v1::NodeStatusResponse& status) const;
  void FillProblems(v1::NodeStatusResponse& status) const;

  const Sources sources_;
  const Time started_;
};

}  // namespace decree::rpc
