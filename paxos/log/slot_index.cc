#include "paxos/log/slot_index.h"

#include <glog/logging.h>

namespace decree::paxos {

void SlotIndex::Set(Slot slot, const RecordPosition& position) {
  CHECK(slot != kNoSlot);
  CHECK_GT(position.bytes, 0u);
  std::unique_ptr<Chunk>& chunk = chunks_[slot.value() / kChunkSlots];
  if (chunk == nullptr) chunk = std::make_unique<Chunk>();
  (*chunk)[slot.value() % kChunkSlots] = position;
  if (first_ == kNoSlot || slot < first_) first_ = slot;
  if (slot > last_) last_ = slot;
}

const RecordPosition* SlotIndex::Find(Slot slot) const {
  const auto found = chunks_.find(slot.value() / kChunkSlots);
  if (found == chunks_.end()) return nullptr;
  const RecordPosition& position = (*found->second)[slot.value() % kChunkSlots];
  return position.bytes == 0 ? nullptr : &position;
}

Slot SlotIndex::NextAt(Slot from) const {
  uint64_t within = from.value() % kChunkSlots;
  for (auto chunk = chunks_.lower_bound(from.value() / kChunkSlots); chunk != chunks_.end(); ++chunk) {
    if (chunk->first != from.value() / kChunkSlots) within = 0;
    for (; within < kChunkSlots; ++within) {
      if ((*chunk->second)[within].bytes != 0) return Slot(chunk->first * kChunkSlots + within);
    }
  }
  return kNoSlot;
}

}  // namespace decree::paxos
