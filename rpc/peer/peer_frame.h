#pragma once
// Frames of a peer stream, put together from messages that were serialised once.
//
// Serialised Protobuf messages one after the other are one message: what is repeated in them is appended. So a
// message for several peers is turned once into the bytes of a PeerFrame that holds it alone, and every peer's
// frame refers to these bytes, among others.

#include <span>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "decree/v1/peer.pb.h"

namespace decree::rpc {

grpc::Slice EncodeElement(v1::PeerMessage message);
grpc::Slice EncodeElement(v1::ForwardedWrite write);
grpc::Slice EncodeElement(v1::PeerHello hello);
// The PeerFrame that these elements, all of one kind, make in this order.
grpc::ByteBuffer MakeFrame(std::span<const grpc::Slice> elements);

}  // namespace decree::rpc
