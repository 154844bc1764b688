#pragma once
// A run of consecutive slots and what is kept for each. It grows at its end and is dropped from its
// beginning; access to a slot takes constant time.

#include <cstddef>
#include <deque>

#include <glog/logging.h>

#include "paxos/core/protocol/types.h"

namespace decree::paxos {

template <typename T>
class SlotWindow {
 public:
  // Empty, beginning at `first`.
  explicit SlotWindow(Slot first) : first_(first) {}

  Slot first() const { return first_; }
  // One past the last slot that was ever touched.
  Slot end() const { return first_.Plus(values_.size()); }

  // Null if the slot lies outside. Valid until the window is changed.
  const T* Find(Slot slot) const { return Contains(slot) ? &values_[Index(slot)] : nullptr; }
  T* Find(Slot slot) { return Contains(slot) ? &values_[Index(slot)] : nullptr; }

  // Grows the window to the slot, which must not lie before it.
  T& At(Slot slot) {
    CHECK_GE(slot, first_);
    if (slot >= end()) values_.resize(Index(slot) + 1);
    return values_[Index(slot)];
  }

  void DropFirst() {
    CHECK(!values_.empty());
    values_.pop_front();
    ++first_;
  }

 private:
  bool Contains(Slot slot) const { return slot >= first_ && slot < end(); }
  size_t Index(Slot slot) const { return slot.DistanceFrom(first_); }

  Slot first_;
  std::deque<T> values_;
};

}  // namespace decree::paxos
