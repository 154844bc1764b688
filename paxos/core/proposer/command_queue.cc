#include "paxos/core/proposer/command_queue.h"

#include <utility>

#include "paxos/base/rare_case.h"
#include "paxos/core/protocol/entry.h"

namespace decree::paxos {
namespace {

// What a waiting command costs beside its bytes.
constexpr size_t kOverheadBytes = 64;

}  // namespace

void CommandQueue::Push(ProposalId id, CommandBytes command, Time deadline) {
  bytes_ += BytesOf(command);
  waiting_.push_back({.id = id, .deadline = deadline, .command = std::move(command)});
}

size_t CommandQueue::BytesOf(const CommandBytes& command) { return command.size() + kOverheadBytes; }

std::vector<ProposalId> CommandQueue::TakeBatch(size_t bytes_max, Time now, std::string& payload,
                                                std::vector<DroppedProposal>& dropped) {
  std::vector<ProposalId> ids;
  while (!waiting_.empty()) {
    if (waiting_.front().deadline <= now) {
      RARE_CASE("a command expired before it had a slot");
      dropped.push_back({.id = Pop().id, .reason = DroppedProposal::Reason::kDeadline});
      continue;
    }
    if (!ids.empty() && payload.size() + waiting_.front().command.size() > bytes_max) break;
    const Waiting next = Pop();
    AppendCommand(payload, *next.command);
    ids.push_back(next.id);
  }
  return ids;
}

void CommandQueue::DropAll(DroppedProposal::Reason reason, std::vector<DroppedProposal>& dropped) {
  while (!waiting_.empty()) dropped.push_back({.id = Pop().id, .reason = reason});
}

CommandQueue::Waiting CommandQueue::Pop() {
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= BytesOf(next.command);
  return next;
}

}  // namespace decree::paxos
