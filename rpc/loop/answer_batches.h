#pragma once
// Answers that gather for a stream while others are being written. They leave in batches, one after the other.

#include <cstddef>
#include <deque>
#include <utility>

#include <glog/logging.h>

#include "rpc/loop/budget.h"

namespace decree::rpc {

template <typename Message>
class AnswerBatches {
 public:
  // The batch that the next answer goes to. `room` covers at least its size on the wire.
  Message& ForNext(Budget::Piece room) {
    if (batches_.empty() || batches_.back().room.bytes() >= kBatchBytes) batches_.emplace_back();
    room.Resize(room.bytes() + kOverheadBytes);
    batches_.back().room.Join(std::move(room));
    return batches_.back().message;
  }

  bool empty() const { return batches_.empty(); }
  const Message& front() const { return batches_.front().message; }
  // The first batch is being written, and was copied out. It holds its room until it has left.
  void PopFront() {
    CHECK(!leaving_) << "two are being written";
    leaving_ = std::move(batches_.front().room);
    batches_.pop_front();
  }
  void OnLeft() { leaving_ = {}; }
  // Forgets the batches that are not being written.
  void Clear() { batches_.clear(); }

 private:
  // A batch of this size takes no more answers; the last one may exceed it.
  static constexpr size_t kBatchBytes = 1 << 20;
  // What an answer holds in memory beside its bytes.
  static constexpr size_t kOverheadBytes = 128;

  struct Batch {
    Message message;
    Budget::Piece room;
  };

  std::deque<Batch> batches_;
  Budget::Piece leaving_;
};

}  // namespace decree::rpc
