#include "paxos/core/acceptor/value_conflict.h"

#include <sstream>

namespace decree::paxos {

std::string Describe(const ValueConflict& conflict) {
  std::ostringstream out;
  out << 'n' << conflict.from
      << (conflict.other_under.IsNone() ? " tells another value as chosen" : " proposes another value")
      << " than the one known here to be chosen: slot=" << conflict.slot << ", here: " << *conflict.chosen;
  if (!conflict.chosen_under.IsNone()) out << " chosen under " << conflict.chosen_under;
  out << ", there: " << *conflict.other;
  if (!conflict.other_under.IsNone()) out << " proposed under " << conflict.other_under;
  if (conflict.is_announced) out << " and announced as chosen";
  return out.str();
}

}  // namespace decree::paxos
