#pragma once
// Commands that wait for a slot. A batch is whatever gathered while the last one was on its way.

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/protocol/command_bytes.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class CommandQueue {
 public:
  void Push(ProposalId id, CommandBytes command, Time deadline);

  // Takes commands for one entry: as many as fit into `bytes_max`, at least one if any is alive.
  // Returns their ids in the order of the payload; what has expired goes to `dropped` instead.
  std::vector<ProposalId> TakeBatch(size_t bytes_max, Time now, std::string& payload,
                                    std::vector<DroppedProposal>& dropped);
  void DropAll(DroppedProposal::Reason reason, std::vector<DroppedProposal>& dropped);

  bool empty() const { return waiting_.empty(); }
  size_t bytes() const { return bytes_; }
  // What a command adds to that.
  static size_t BytesOf(const CommandBytes& command);

 private:
  struct Waiting {
    ProposalId id;
    Time deadline;
    CommandBytes command;
  };

  Waiting Pop();

  std::deque<Waiting> waiting_;
  size_t bytes_ = 0;
};

}  // namespace decree::paxos
