#pragma once
// Where the newest record of each slot lies: 16 bytes a slot, in chunks, so that a gap in the slots
// costs nothing.

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "paxos/core/protocol/types.h"

namespace decree::paxos {

struct RecordPosition {
  uint32_t segment = 0;
  uint32_t bytes = 0;  // of header and padded body; 0: no record
  uint64_t offset = 0;
};

class SlotIndex {
 public:
  // Replaces what was known of the slot.
  void Set(Slot slot, const RecordPosition& position);
  // Null if there is no record of the slot. Valid until the next Set.
  const RecordPosition* Find(Slot slot) const;
  // The first slot at or above `from` that has a record; kNoSlot if there is none.
  Slot NextAt(Slot from) const;

  // kNoSlot if empty.
  Slot first() const { return first_; }
  Slot last() const { return last_; }

 private:
  static constexpr uint64_t kChunkSlots = 1024;
  using Chunk = std::array<RecordPosition, kChunkSlots>;

  std::map<uint64_t, std::unique_ptr<Chunk>> chunks_;  // by slot / kChunkSlots
  Slot first_;
  Slot last_;
};

}  // namespace decree::paxos
