#pragma once
// Answers that gather for a stream while others are being written: they leave by the batch, one after the other.

#include <cstddef>
#include <deque>

namespace decree::rpc {

template <typename Message>
class AnswerBatches {
 public:
  // The batch that the next answer goes to; `bytes` is its size on the wire.
  Message& ForNext(size_t bytes) {
    bytes += kOverheadBytes;
    if (batches_.empty() || batches_.back().bytes >= kBatchBytes) batches_.emplace_back();
    batches_.back().bytes += bytes;
    bytes_ += bytes;
    return batches_.back().message;
  }

  bool empty() const { return batches_.empty(); }
  // Of all answers, with what they hold in memory beside that.
  size_t bytes() const { return bytes_; }

  const Message& front() const { return batches_.front().message; }
  void PopFront() {
    bytes_ -= batches_.front().bytes;
    batches_.pop_front();
  }
  void Clear() {
    batches_.clear();
    bytes_ = 0;
  }

 private:
  // A batch is closed when it is as large as this; it may be larger by one answer.
  static constexpr size_t kBatchBytes = 1 << 20;
  // What an answer holds in memory beside its bytes.
  static constexpr size_t kOverheadBytes = 128;

  struct Batch {
    Message message;
    size_t bytes = 0;
  };

  std::deque<Batch> batches_;
  size_t bytes_ = 0;
};

}  // namespace decree::rpc
