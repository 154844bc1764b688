#pragma once
// Cuts an entry into parts, and puts it together again.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "paxos/core/protocol/message.h"

namespace decree::paxos {

// The part of a slot's entry that begins at `first_byte`, which must lie within its payload, and has `bytes_max` bytes
// at most.
EntryPart PartOf(Slot slot, const Entry& entry, uint64_t first_byte, size_t bytes_max);

class EntryAssembly {
 public:
  // The parts of one entry follow each other; one that begins at 0 begins anew. The rest may come from another
  // peer. False, and nothing is kept, if the part does not follow on, or if the whole is malformed.
  bool Append(const EntryPart& part);
  // How much there is.
  uint64_t bytes() const { return payload_.size(); }
  // Once all of it is there, and then nothing is kept; null before.
  EntryPtr TakeWhole();
  void Clear();

 private:
  bool FollowsOn(const EntryPart& part) const;

  std::optional<EntryPart> first_;  // its piece's payload is not used
  std::string payload_;
  EntryPtr whole_;
};

}  // namespace decree::paxos
