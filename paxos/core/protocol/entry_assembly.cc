#include "paxos/core/protocol/entry_assembly.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/core/protocol/entry_check.h"

namespace decree::paxos {

EntryPart PartOf(Slot slot, const Entry& entry, uint64_t first_byte, size_t bytes_max) {
  CHECK_LT(first_byte, entry.payload.size()) << "slot " << slot;
  return {.slot = slot,
          .piece = std::make_shared<const Entry>(Entry{.kind = entry.kind,
                                                       .proposer = entry.proposer,
                                                       .log_time = entry.log_time,
                                                       .payload = entry.payload.substr(first_byte, bytes_max)}),
          .first_byte = first_byte,
          .payload_bytes = entry.payload.size()};
}

bool EntryAssembly::Append(const EntryPart& part) {
  if (part.first_byte == 0) {
    Clear();
    first_ = part;
  }
  if (!FollowsOn(part)) {
    Clear();
    return false;
  }
  const Entry& piece = *part.piece;
  payload_ += piece.payload;
  if (payload_.size() < part.payload_bytes) return true;
  whole_ = std::make_shared<const Entry>(Entry{
      .kind = piece.kind, .proposer = piece.proposer, .log_time = piece.log_time, .payload = std::move(payload_)});
  if (whole_->payload.size() == part.payload_bytes && CheckEntry(*whole_).ok()) return true;
  Clear();
  return false;
}

bool EntryAssembly::FollowsOn(const EntryPart& part) const {
  return first_.has_value() && first_->slot == part.slot && first_->payload_bytes == part.payload_bytes &&
         first_->piece->kind == part.piece->kind && first_->piece->proposer == part.piece->proposer &&
         first_->piece->log_time == part.piece->log_time && payload_.size() == part.first_byte &&
         !part.piece->payload.empty();
}

EntryPtr EntryAssembly::TakeWhole() {
  EntryPtr whole = std::move(whole_);
  if (whole != nullptr) Clear();
  return whole;
}

void EntryAssembly::Clear() {
  first_.reset();
  payload_.clear();
  whole_.reset();
}

}  // namespace decree::paxos
