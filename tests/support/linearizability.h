#pragma once
// Judges whether a history could have come from a single copy of the store that carries out one
// operation at a time, each between its invocation and its answer.
//
// Two judges that rest on different things. `CheckLinearizable` searches for such an order key by
// key and believes no revision (Wing and Gong's algorithm with Lowe's memory of visited
// configurations; linearizability is local, so keys are independent: Herlihy and Wing, 1990).
// `CheckRevisions` takes the order that the revisions claim, replays it over all keys, and holds it
// against real time.

#include <cstdint>
#include <string>

#include "tests/support/history.h"

namespace decree::check {

struct Verdict {
  bool ok = true;
  std::string problem;

  static Verdict Good() { return {}; }
  static Verdict Bad(std::string problem) { return {.ok = false, .problem = std::move(problem)}; }
};

inline constexpr uint64_t kSearchStepsMax = 20'000'000;

// Searches an order for each key. Giving up after `steps_max` steps counts as bad: a judge that did
// not finish has not acquitted.
Verdict CheckLinearizable(const History& history, uint64_t steps_max = kSearchStepsMax);

// Whether revisions, versions and cells fit one sequence of writes, which fits real time. Looks at
// stale reads, too: each must show a state that the store really went through, and one process must
// never go back.
Verdict CheckRevisions(const History& history);

// Both.
Verdict CheckHistory(const History& history);

}  // namespace decree::check
