#include "paxos/base/planted_bug.h"

#include <array>
#include <utility>

#include <glog/logging.h>

namespace decree {
namespace {

constexpr std::array kNames = {
    std::pair{PlantedBug::kNone, "none"},
    std::pair{PlantedBug::kAnswerBeforeSync, "answer-before-sync"},
    std::pair{PlantedBug::kQuorumOfOne, "quorum-of-one"},
    std::pair{PlantedBug::kReadWithoutLease, "read-without-lease"},
    std::pair{PlantedBug::kSkipNoOpInHole, "skip-no-op-in-hole"},
    std::pair{PlantedBug::kPromiseForgottenAtStart, "promise-forgotten-at-start"},
    std::pair{PlantedBug::kWrongValueInRecovery, "wrong-value-in-recovery"},
    std::pair{PlantedBug::kChosenWithoutBallot, "chosen-without-ballot"},
    std::pair{PlantedBug::kLeaseFromAck, "lease-from-ack"},
    std::pair{PlantedBug::kGrantForgottenAtStart, "grant-forgotten-at-start"},
    std::pair{PlantedBug::kDuplicateVoteCounts, "duplicate-vote-counts"},
    std::pair{PlantedBug::kReadBeforeRecovery, "read-before-recovery"},
    std::pair{PlantedBug::kSessionsForgottenAtStart, "sessions-forgotten-at-start"},
    std::pair{PlantedBug::kUseForgottenAtStart, "use-forgotten-at-start"},
    std::pair{PlantedBug::kAnswerUnderWrongNumber, "answer-under-wrong-number"},
    std::pair{PlantedBug::kWipedNodeLetIn, "wiped-node-let-in"},
    std::pair{PlantedBug::kFloorIgnored, "floor-ignored"},
    std::pair{PlantedBug::kOneSource, "one-source"},
    std::pair{PlantedBug::kLeaderTakesValues, "leader-takes-values"},
    std::pair{PlantedBug::kRefusedValueIsProof, "refused-value-is-proof"},
    std::pair{PlantedBug::kFetchedAgain, "fetched-again"},
};

}  // namespace

#ifdef DECREE_PLANTED_BUGS
namespace {
PlantedBug planted = PlantedBug::kNone;
}  // namespace
void PlantBug(PlantedBug bug) { planted = bug; }
bool IsPlanted(PlantedBug bug) { return planted == bug; }
#endif

std::string_view PlantedBugName(PlantedBug bug) {
  for (const auto& [known, name] : kNames) {
    if (known == bug) return name;
  }
  LOG(FATAL) << "a planted bug without a name: " << static_cast<int>(bug);
}

std::vector<PlantedBug> AllPlantedBugs() {
  std::vector<PlantedBug> bugs;
  for (const auto& [bug, name] : kNames) {
    if (bug != PlantedBug::kNone) bugs.push_back(bug);
  }
  return bugs;
}

}  // namespace decree
