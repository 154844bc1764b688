#include "rpc/peer/peer_frame.h"

#include <cstdint>
#include <vector>

#include <glog/logging.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace decree::rpc {
namespace {

using google::protobuf::io::CodedOutputStream;
using google::protobuf::internal::WireFormatLite;

constexpr uint32_t TagOf(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

uint32_t BatchTagOf(v1::StreamKind kind) {
  return TagOf(kind == v1::STREAM_KIND_FORWARD ? v1::PeerFrame::kForwardsFieldNumber
                                               : v1::PeerFrame::kBatchFieldNumber);
}

size_t PrefixBytes(uint32_t tag, uint32_t length) {
  return CodedOutputStream::VarintSize32(tag) + CodedOutputStream::VarintSize32(length);
}

uint8_t* WritePrefix(uint32_t tag, uint32_t length, uint8_t* target) {
  target = CodedOutputStream::WriteVarint32ToArray(tag, target);
  return CodedOutputStream::WriteVarint32ToArray(length, target);
}

grpc::Slice Encode(uint32_t tag, const google::protobuf::MessageLite& message) {
  const uint32_t length = static_cast<uint32_t>(message.ByteSizeLong());
  grpc::Slice element(PrefixBytes(tag, length) + length);
  // The bytes are ours alone until the slice is copied.
  uint8_t* const start = const_cast<uint8_t*>(element.begin());
  uint8_t* const body = WritePrefix(tag, length, start);
  uint8_t* const end = message.SerializeWithCachedSizesToArray(body);
  CHECK_EQ(static_cast<size_t>(end - start), element.size());
  return element;
}

}  // namespace

grpc::Slice EncodeElement(const v1::PeerMessage& message) {
  return Encode(TagOf(v1::PeerBatch::kMessagesFieldNumber), message);
}

grpc::Slice EncodeElement(const v1::ForwardedWrite& write) {
  return Encode(TagOf(v1::ForwardBatch::kWritesFieldNumber), write);
}

grpc::ByteBuffer MakeBatchFrame(v1::StreamKind kind, std::span<const grpc::Slice> elements) {
  const uint32_t tag = BatchTagOf(kind);
  uint32_t length = 0;
  for (const grpc::Slice& element : elements) length += static_cast<uint32_t>(element.size());
  grpc::Slice prefix(PrefixBytes(tag, length));
  WritePrefix(tag, length, const_cast<uint8_t*>(prefix.begin()));
  std::vector<grpc::Slice> slices;
  slices.reserve(elements.size() + 1);
  slices.push_back(std::move(prefix));
  slices.insert(slices.end(), elements.begin(), elements.end());
  return grpc::ByteBuffer(slices.data(), slices.size());
}

grpc::ByteBuffer MakeHelloFrame(const v1::PeerHello& hello) {
  v1::PeerFrame frame;
  *frame.mutable_hello() = hello;
  const grpc::Slice bytes(frame.SerializeAsString());
  return grpc::ByteBuffer(&bytes, 1);
}

}  // namespace decree::rpc
