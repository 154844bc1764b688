#pragma once
// The requests that have come by a pipeline in one message. They stay bytes until it is their turn: a message of 4 MiB
// may have two million of them, which would take a hundred times as much when parsed.

#include <cstddef>
#include <optional>
#include <string>

#include "decree/v1/kv.pb.h"

namespace decree::rpc {

class RequestBatch {
 public:
  RequestBatch() = default;
  // `bytes` are a decree.v1.RequestBatch, as the client claims.
  explicit RequestBatch(std::string bytes);

  // How many bytes of memory it holds.
  size_t bytes() const { return bytes_.size(); }
  // There are no more requests.
  bool empty() const { return !next_bytes_.has_value() && !is_broken_; }
  // What follows is not a request.
  bool is_broken() const { return is_broken_; }
  // The size of the next request; there must be one.
  size_t next_bytes() const { return *next_bytes_; }
  // Takes the next request. False if it is not one.
  bool TakeNext(v1::PipelinedRequest& request);

 private:
  void Advance();

  // Short bytes are in the object itself, so nothing that outlives a move may point into them.
  std::string bytes_;
  size_t position_ = 0;               // behind the next request
  std::optional<size_t> next_bytes_;  // its size
  bool is_broken_ = false;
};

}  // namespace decree::rpc
