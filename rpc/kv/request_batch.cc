#include "rpc/kv/request_batch.h"

#include <cstdint>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "rpc/loop/request_bytes.h"

namespace decree::rpc {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint32_t kRequestTag =
    WireFormatLite::MakeTag(v1::RequestBatch::kRequestsFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

}  // namespace

RequestBatch::RequestBatch(std::string bytes) : bytes_(std::move(bytes)) { Advance(); }

bool RequestBatch::TakeNext(v1::PipelinedRequest& request) {
  const bool is_one = ParseRequest({&bytes_[position_ - *next_bytes_], *next_bytes_}, request);
  is_one ? Advance() : next_bytes_.reset();
  is_broken_ = is_broken_ || !is_one;
  return is_one;
}

void RequestBatch::Advance() {
  next_bytes_.reset();
  const auto left = static_cast<int>(bytes_.size() - position_);
  CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes_.data()) + position_, left);
  while (const uint32_t tag = input.ReadTag()) {
    if (tag != kRequestTag) {
      // A later version of the protocol may have such a field.
      if (WireFormatLite::SkipField(&input, tag)) continue;
      is_broken_ = true;
      return;
    }
    uint32_t size = 0;
    const bool has_size = input.ReadVarint32(&size);
    const size_t begin = position_ + static_cast<size_t>(input.CurrentPosition());
    if (!has_size || size > bytes_.size() - begin) {
      is_broken_ = true;
      return;
    }
    next_bytes_ = size;
    position_ = begin + size;
    return;
  }
  is_broken_ = !input.ConsumedEntireMessage();
  position_ = bytes_.size();
}

}  // namespace decree::rpc
