#pragma once
// The requests that have come by a pipeline in one message. They stay the bytes that they are until it is their turn: a
// message of 4 MiB may have two million of them, which would take a hundred times as much.

#include <cstddef>
#include <optional>

#include <grpcpp/support/slice.h>

#include "decree/v1/kv.pb.h"

namespace decree::rpc {

class RequestBatch {
 public:
  RequestBatch() = default;
  // A decree.v1.RequestBatch, in bytes, as the client claims.
  explicit RequestBatch(grpc::Slice bytes);

  // What it holds of the memory.
  size_t bytes() const { return bytes_.size(); }
  // No more requests.
  bool empty() const { return !next_bytes_.has_value() && !is_broken_; }
  // What follows is no request.
  bool is_broken() const { return is_broken_; }
  // The size of the next request; there must be one.
  size_t next_bytes() const { return *next_bytes_; }
  // Takes the next; then it is the turn of the one behind it. False if it is none.
  bool TakeNext(v1::PipelinedRequest& request);

 private:
  void Advance();

  // Small ones are in the object itself: nothing may point into them that outlives a move.
  grpc::Slice bytes_;
  size_t position_ = 0;               // behind the next request
  std::optional<size_t> next_bytes_;  // its size
  bool is_broken_ = false;
};

}  // namespace decree::rpc
