#pragma once
// Frames of a peer stream, put together from messages that were serialised once.
//
// A batch in protobuf's wire format is its messages one after the other, each with a tag and its
// length. So a message for several peers is turned into bytes once, and every peer's frame refers to
// the same bytes.

#include <span>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "decree/v1/peer.pb.h"

namespace decree::rpc {

// The message as an element of a PeerBatch, or of a ForwardBatch.
grpc::Slice EncodeElement(const v1::PeerMessage& message);
grpc::Slice EncodeElement(const v1::ForwardedWrite& write);
// A PeerFrame for a stream of this kind that holds these elements, in this order.
grpc::ByteBuffer MakeBatchFrame(v1::StreamKind kind, std::span<const grpc::Slice> elements);
// A PeerFrame with the greeting.
grpc::ByteBuffer MakeHelloFrame(const v1::PeerHello& hello);

}  // namespace decree::rpc
