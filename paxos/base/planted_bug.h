#pragma once
// Deliberate faults, each breaking one rule, to prove that the tests would notice.
//
// They exist only in a build with -DDECREE_PLANTED_BUGS=ON, which makes no server; everywhere else
// `IsPlanted` is the constant false and the branch is gone.

#include <string_view>
#include <vector>

namespace decree {

enum class PlantedBug {
  kNone,
  kAnswerBeforeSync,          // A promise or vote leaves before its record is durable.
  kQuorumOfOne,               // One vote counts as a phase-2 quorum.
  kReadWithoutLease,          // The leader serves linearizable reads without a lease.
  kSkipNoOpInHole,            // A new leader leaves the holes that phase 1 found.
  kPromiseForgottenAtStart,   // The promise file is ignored at start.
  kWrongValueInRecovery,      // The lowest-ballot vote is re-proposed, not the highest.
  kChosenWithoutBallot,       // Rule 4 is not checked: any vote at a chosen slot counts.
  kLeaseFromAck,              // The lease is counted from the acknowledgement, not the probe.
  kGrantForgottenAtStart,     // A restarted acceptor promises at once.
  kDuplicateVoteCounts,       // Two messages of one voter count as two votes.
  kReadBeforeRecovery,        // A new leader reads before rule 2's slots are applied.
  kSessionsForgottenAtStart,  // The answers of sessions are not read back from the store.
  kUseForgottenAtStart,       // Sessions that were used count as unused after a restart.
  kAnswerUnderWrongNumber,    // An answer is kept under the number after its own.
  kWipedNodeLetIn,            // A node that was formatted anew votes under its old id.
  kFloorIgnored,              // A request below its session's floor is carried out.
  kOneSource,                 // Who lags asks only the one that named the highest chosen index.
  kLeaderTakesValues,         // A leader fetches, and learns, what others know to be chosen.
  kFetchedAgain,              // What is on its way is asked for again with every sign of the leader.
  kRefusedValueIsProof,       // Any other value than the one known to be chosen halts a node.
};

#ifdef DECREE_PLANTED_BUGS
// Not thread-safe: set it before the run.
void PlantBug(PlantedBug bug);
bool IsPlanted(PlantedBug bug);
#else
constexpr bool IsPlanted(PlantedBug) { return false; }
#endif

// The names as the simulator's command line knows them, such as "answer-before-sync".
std::string_view PlantedBugName(PlantedBug bug);
std::vector<PlantedBug> AllPlantedBugs();

}  // namespace decree
